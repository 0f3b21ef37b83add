"""The stages, in data order; each is a room with its KFP face (component.py), its logic and its README.

    raw photos
      -> resize_images     JPEGs of one size, and the catalog: one row per photo
      -> generate_pairs    every (earlier, later) pair of a series, with its days; the test pairs
      -> split_folds       the train pairs with their fold; no series is in two folds
      -> write_tfrecords   images and pair tables as TFRecords, by fold
      -> train             for each fold: a model, its history, its out-of-fold predictions
      -> predict           for each model: days for every test pair, one column per view and their mean
      -> calibrate         submission_raw.csv, submission_calibrated.csv, the scores
      -> report            one HTML page and a Markdown summary

New photos, on which nothing is trained, go through the same rooms but split_folds and train; what the others are then not given
is an optional input of their face.

Beside the rooms: `settings` declares every parameter once, `schema` the names that cross a stage boundary, `artifacts` puts a
stage's files down, `shards` tells the parts of a stage that fans out (`examples` those of write_tfrecords), `images` names each
stage's container image, `layout` tells what raw data is made of, `storage` where it lies (`gcs` and `gcs_requests`: in a
bucket), `tracking` logs a run to MLflow, and `sample_dataset` writes synthetic plants.
"""
