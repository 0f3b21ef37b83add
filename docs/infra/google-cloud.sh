#!/usr/bin/env bash
# Makes what runs on Google Cloud need: APIs, bucket, image repository, service account and roles. What is there already stays as it is,
# so it can be run again at any time. It needs gcloud, logged in as someone who may do this (roles/owner can).
#
#   docs/infra/google-cloud.sh --project my-project --region europe-west4 --bucket my-bucket --user you@example.com
#   docs/infra/google-cloud.sh ... --gke      with a cluster of GKE there: what its nodes and the pods of Kubeflow need, too
#   docs/infra/google-cloud.sh ... --dry-run  only prints the commands that make things
set -euo pipefail

project="" region="" bucket="" user="" name="verdelta" gke="" dry=""

usage() {
  sed -n '2,7s/^# \{0,1\}//p' "$0"
  exit "${1:-0}"
}

while [ $# -gt 0 ]; do
  case "$1" in
    --project | --region | --bucket | --user | --name)
      [ $# -gt 1 ] || usage 2
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    --gke) gke=yes && shift ;;
    --dry-run) dry=yes && shift ;;
    --help) usage ;;
    *) echo "$1: no such option" >&2 && usage 2 ;;
  esac
done
for needed in project region bucket user; do
  if [ -z "${!needed}" ]; then
    echo "--$needed: missing" >&2
    usage 2
  fi
done

account="$name@$project.iam.gserviceaccount.com"
images="$region-docker.pkg.dev/$project/$name"

# Runs a command, or prints it.
run() {
  printf '+ %s\n' "$*"
  if [ -z "$dry" ]; then "$@" >/dev/null; fi
}

# Runs the second command, from "--" on, unless the first one finds that what it makes is there.
unless_there() {
  local look=()
  while [ "$1" != -- ]; do
    look+=("$1")
    shift
  done
  shift
  if [ -z "$dry" ] && "${look[@]}" >/dev/null 2>&1; then return; fi
  run "$@"
}

# Lets the service account do something in the project.
in_project() {
  run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$account" --role="$1" --condition=None
}

# Lets someone act as the service account, in a role.
as_account() {
  run gcloud iam service-accounts add-iam-policy-binding "$account" --project="$project" --member="$1" --role="$2"
}

apis=(aiplatform artifactregistry storage compute ${gke:+container})
run gcloud services enable "${apis[@]/%/.googleapis.com}" --project="$project"

unless_there gcloud storage buckets describe "gs://$bucket" -- \
  gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" --uniform-bucket-level-access
unless_there gcloud artifacts repositories describe "$name" --project="$project" --location="$region" -- \
  gcloud artifacts repositories create "$name" --project="$project" --location="$region" --repository-format=docker
unless_there gcloud iam service-accounts describe "$account" --project="$project" -- \
  gcloud iam service-accounts create "$name" --project="$project"

in_project roles/aiplatform.user
for member in "serviceAccount:$account" "user:$user"; do
  run gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member="$member" --role=roles/storage.objectUser
  # a custom job runs as the account, which starts it: it may act as itself
  as_account "$member" roles/iam.serviceAccountUser
done
run gcloud projects add-iam-policy-binding "$project" --member="user:$user" --role=roles/aiplatform.user --condition=None
run gcloud artifacts repositories add-iam-policy-binding "$name" --project="$project" --location="$region" \
  --member="serviceAccount:$account" --role=roles/artifactregistry.reader
if [ -n "$gke" ]; then
  in_project roles/container.defaultNodeServiceAccount
  as_account "serviceAccount:$project.svc.id.goog[kubeflow/pipeline-runner]" roles/iam.workloadIdentityUser
  as_account "serviceAccount:$project.svc.id.goog[kubeflow/ml-pipeline-ui]" roles/iam.workloadIdentityUser
fi

cat <<EOF

Next:
  gcloud auth application-default login
  gcloud auth configure-docker $region-docker.pkg.dev
  gcloud storage rsync --recursive data gs://$bucket/plants
  make images REGISTRY=$images VARIANT=root PUSH=yes
  python pipeline.py profile init --target vertex --project $project --region $region --registry $images \\
    --service-account $account --raw gs://$bucket/plants --pipeline-root gs://$bucket/runs
  python pipeline.py submit --preset smoke --wait
EOF
