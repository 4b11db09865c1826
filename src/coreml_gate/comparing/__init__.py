"""How far apart are the outputs of two runs of a model, and what do they prove?"""
