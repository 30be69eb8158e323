"""A session's trial of its own stepper and sampler, before it spends anything.

Settings say what was meant, and so do facts that are read off them. A step that adds no noise, clips at another length
or divides by who was drawn has the same settings as a sound one. So what acts is made to act: a copy of the session's
stepper takes some steps on made-up records, the sampler draws some batches, and what comes out is compared with what
the accountant counts on. Nothing of the run changes: no parameter, momentum or ledger, and no generator's state.

``trial.py`` has the made-up records and the copies, ``steps.py`` what is measured on steps, ``batches.py`` on the
sampler and on the way that records come in, ``subject.py`` puts them together and ``opening.py`` is for sessions. The
words and the lights are in ``medpriv_core.privacy``.

Each bound is so wide that a sound run fails it less than once in 10^12 times, a whole self-test less than once in 10^9.

It finds what is wrong with every step and every record. A loop that does wrong at one step only, or with one image,
passes: that nobody can measure from outside.
"""
