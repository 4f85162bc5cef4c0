"""Training: datasets, recipes, export and the scores that decide what ships.

Takes pictures from whoever hands them in and knows no simulator. torch and ultralytics are
imported inside functions only, so that importing these modules stays cheap and legal anywhere.
Importing from here at run time (vision, edge) is a mistake: use `models.detector` and its like.
"""
