"""The models of a run, ready to answer: what is kept of the run, the network without Keras, photos as the pipeline sees them.

predictor is what the rest of serve asks; bundle says which files it is loaded from, network makes an OpenVINO graph of a trained
model, pixels prepares photos, and calibration corrects the days.
"""
