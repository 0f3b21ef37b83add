"""Names that cross a stage boundary: artifact files, CSV columns, TFRecord features.

Every dataset artifact is a folder that holds the files named here; the stage's README.md says what is in them.
"""

# raw data, the challenge's layout
TRAIN_FOLDER, TEST_FOLDER = "train_dataset", "test_dataset"
RAW_TEST_DATA = f"{TEST_FOLDER}/test_data.csv"
DAYS_CSV = "days.csv"  # optional, in TRAIN_FOLDER: the days that names do not say

# written by every stage beside its data: {"stage", "settings", "counts", "skipped"}
STAGE_RECORD = "stage.json"

# in tables/ and submission/: {"records"}, those of earlier stages
RECORDS_JSON = "records.json"

# the last file of every folder: {"stage", "files": [{"name", "bytes", "sha256"}], "sha256"}
MANIFEST_JSON = "manifest.json"

# in what each of several shards of a stage writes: {"shard", "num_shards", ...}
SHARD_JSON = "shard.json"

# catalog/
IMAGES_CSV = "images.csv"
TEST_DATA_CSV = "test_data.csv"
SAMPLE_SUBMISSION_CSV = "sample_submission.csv"
TEST_LABELS_CSV = "test_labels.csv"
TEST_ORACLE_CSV = "test_oracle.csv"  # of the sample dataset alone: what who knows each plant's age could answer
FEW_LABELS_CSV = "few_labels.csv"  # true days of a few test pairs, to learn from; of test_labels.csv nothing is learnt
TRAIN, TEST = SPLITS = "train", "test"  # values of `split`
DAY_DECIMALS = 3  # 86 seconds, more than the jitter of a camera that works at a fixed hour
IMAGES_COLUMNS = ("image_id", "split", "species", "series", "day", "path")
TURNED, PROFILE, ODD_PROFILE = "turned_photos", "profile_photos", "unusable_profile_photos"
TRANSPARENT, CMYK, FRAMES = "transparent_photos", "cmyk_photos", "multi_frame_photos"
FACTS = (TURNED, PROFILE, ODD_PROFILE, TRANSPARENT, CMYK, FRAMES)  # counts of what is special about photos; none that is 0

# pairs/ and folded_pairs/
TRAIN_PAIRS_CSV, TEST_PAIRS_CSV = "train_pairs.csv", "test_pairs.csv"
PHOTO_IDS = ("before_image_id", "after_image_id")  # the two photos of a pair, the earlier first
TRAIN_PAIRS_COLUMNS = ("pair_id", "species", "series", *PHOTO_IDS, "time_delta_days")
FOLDED_PAIRS_COLUMNS = (*TRAIN_PAIRS_COLUMNS, "fold")
TEST_PAIRS_COLUMNS = ("pair_id", "idx", "species", "series", *PHOTO_IDS)
REPEATED = ("species", "series", *PHOTO_IDS)  # columns of few names for many pairs
PAIR_ID = "comb_{:06d}"

# examples/
DATASET_JSON = "dataset.json"
FOLD_TFRECORD = "fold.{fold}.tfrecord-{shard:05d}-of-{num_shards:05d}"
TEST_TFRECORD = "test.tfrecord-{shard:05d}-of-{num_shards:05d}"
FEATURE_IMAGE_ID, FEATURE_IMAGE = "image_id", "image"
FEATURE_LABEL_ID, FEATURE_LABEL = "label_id", "label"  # layout=pairs only

# model/, history/, out_of_fold/
MODEL_FILE = "model.keras"
LOOKS_FILE = "looks.npy"  # [S, 512] float32, a row per train series
HISTORY_CSV = "history.csv"
OUT_OF_FOLD_CSV = "out_of_fold.csv"
OUT_OF_FOLD_COLUMNS = ("pair_id", "species", "series", "fold", "time_delta_days", "baseline_days", "prediction_days")

# predictions/
PREDICTIONS_CSV = "predictions.csv"
PHOTOS_CSV = "photos.csv"  # also in out_of_fold/
PHOTOS_COLUMNS = ("image_id", "species", "series", "drift")  # and DATE_DAYS where the head dates photos
DATE_DAYS = "date_days"
UNUSUAL_DRIFT = 1.65  # of a series that looks like none that was trained on: docs/accuracy.md
VIEW_COLUMN = "view_{}"
PREDICTIONS_COLUMNS = ("pair_id", "idx", "species", "series", "prediction_days")  # then one VIEW_COLUMN per view

# submission/
SUBMISSION_RAW_CSV, SUBMISSION_CALIBRATED_CSV = "submission_raw.csv", "submission_calibrated.csv"
SUBMISSION_COLUMNS = ("idx", "time_delta")
OUT_OF_FOLD_CALIBRATED_CSV, CALIBRATED_DAYS = "out_of_fold_calibrated.csv", "calibrated_days"  # the added column
TEST_CALIBRATED_CSV, TRUE_DAYS = "test_calibrated.csv", "true_days"  # the last column, where they are known
TEST_CALIBRATED_COLUMNS = ("idx", "prediction_days", CALIBRATED_DAYS, "lowest_days", "highest_days")
INTERVALS_CSV = "intervals.csv"
INTERVALS_COLUMNS = ("idx", "species", "series", "time_delta", "low_days", "high_days", "drift")
CALIBRATION_JSON, METRICS_JSON = "calibration.json", "metrics.json"
HISTORY_OF_MODEL = "history-{}.csv"  # by the model's place in the list
WRITERS = {
    IMAGES_CSV: "resize_images",
    TRAIN_PAIRS_CSV: "generate_pairs",
    TEST_PAIRS_CSV: "generate_pairs",
    HISTORY_CSV: "train",
    OUT_OF_FOLD_CSV: "train",
    PREDICTIONS_CSV: "predict",
    PHOTOS_CSV: "predict",
    SUBMISSION_RAW_CSV: "calibrate",
    INTERVALS_CSV: "calibrate",
    SUBMISSION_CALIBRATED_CSV: "calibrate",
    OUT_OF_FOLD_CALIBRATED_CSV: "calibrate",
    TEST_CALIBRATED_CSV: "calibrate",
}  # of tables: the stage that is to be run where one is missing
HEADLINE_METRICS = (
    "baseline_rmse_days",
    "validation_rmse_days",
    "validation_rmse_days_calibrated",
    "test_rmse_days_raw",
    "test_rmse_days_calibrated",
    "test_oracle_rmse_days",
)
