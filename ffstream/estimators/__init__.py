"""The network as an estimator of other libraries, each in a module that loads that library:
:class:`ffstream.estimators.sklearn.FFClassifier` and :class:`ffstream.estimators.river.FFClassifier`.
"""
