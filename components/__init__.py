"""The stages, in data order; each is a room with its KFP face (component.py), its logic and its README.

    raw photos
      -> resize_images     JPEGs of one size, and the catalog: one row per photo
      -> generate_pairs    every (earlier, later) pair of a series, with its days; the test pairs
      -> split_folds       the train pairs with their fold; no series is in two folds
      -> write_tfrecords   images and pair tables as TFRecords, by fold; the tables alone
      -> train             for each fold: a model, its history, its out-of-fold predictions
      -> predict           for each model: days for every test pair, one column per view and their mean
      -> calibrate         submission_raw.csv, submission_calibrated.csv, the scores
      -> report            one HTML page and a Markdown summary

New photos, on which nothing is trained, go through the same rooms but split_folds and train; what the others are then not given
is an optional input of their face.

What answers questions about single photos, at once and without a run, is no stage: serve. It does with a request's photos what
resize_images, predict and calibrate do with all.

Imports run one way, which `make lint` sees to; no stage imports another:

    serve            what `ask` does, and the server with its image
      -> the stages
    the stages, and sample_dataset, which writes synthetic plants
      -> network     what train and predict share: the model, its checkpoints, decoding, devices, inference
      -> raw         where photos come from: the challenge's layout, a folder, a bucket
      -> contract    what crosses a stage boundary: names, artifacts, tables, the catalog, shards
      -> images      the container image of each stage; the faces name theirs
      -> settings    the list of stages, and how each declares its parameters in its own settings.py
"""

import os
import sys

from components.contract.shown import Screen

# The process of a stage, by a variable of KFP's: people read its lines in terminals, from a cluster's log as from a file here,
# and names of photos are among them, also in an error that ends it.
if os.environ.get("_KFP_RUNTIME") == "true":
    sys.stdout, sys.stderr = Screen(sys.stdout), Screen(sys.stderr)
