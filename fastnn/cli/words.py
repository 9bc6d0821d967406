"""The command line's words for remedies that the library names."""

# By name, as `fastnn.outcome.REMEDIES`; the others are not options.
REMEDIES = {
    "maxiter": "a higher --maxiter would lower the cost further",
    "max_seconds": "a higher --max-seconds would lower the cost further",
    "solver": "if that is too early, try another --solver or a larger --lmbda",
    "smaller": "try smaller starting --weights or a larger --lmbda",
    "start": "--weights with the saved model goes on from them",
    "resume": "fastnn resume goes on from the checkpoint",
    "standardize": "train again with --standardize",
    "scale": "train again with --standardize, or with --scale 1/255 if these bytes are pixels",
    "seed": "train again, from smaller --weights if you passed some, else with another --seed or a larger --lmbda",
    "smaller start": "smaller --weights are wanted",
}
