"""
Purchase intent: will this person buy this item before the horizon ends?

Two steps, each of use alone. *Columns*: a ``Table`` of pairs at a cutoff, from events before it
(``counters.counter_table`` for any behaviour, ``model.IntentColumns`` for shops with repeat
purchases). *Classifier*: a ``Table`` becomes log-odds at the natural rate.

The classifier of choice is the stack, on columns of either kind::

    stack = fit_stack(table, validation=later, kinds=catalogue.category, seed=1)  # needs torch
    stack.logits(table)   # (P,) float64; a table may have more columns than the stack uses
    stack.save(folder)    # LightGBM text, npz and JSON
    Stack.load(folder)    # no torch, no pickle

Both steps together are ``model.IntentModel``::

    model = IntentModel.fit(interactions, promotions=None, config=IntentConfig(horizon_days=7))
    table = model.table_at(interactions, cutoff, pairs)  # pairs: person * V + item, or None
    model.logits(table)
    model.save(folder); IntentModel.load(folder)
"""
