"""How far apart are two runs of a model, and what are their outputs worth as evidence?"""
