"""
What can go wrong on the graph floor.

GraphError
├── GraphUnavailable      the server cannot be reached, or gave up for now; worth another try
├── GraphRejected         the server refused a query: a fault of ours, not worth another try
├── SchemaMissing         constraints or indexes are not there yet; run the migrations
│   └── RestoreUnfinished a graph is being put back: what is there is not yet whole
├── MigrationError        a migration file is malformed, changed, or another runner is at work
├── UnknownCampaign       no campaign has that id
├── UnknownModel          no model has that version
├── UnknownRun            no training run has that id
├── UnknownReceipt        no erasure has that receipt
├── UnknownReport         no quality report has that id
└── LeaseLost             somebody else holds the lease now; stop writing
"""


class GraphError(Exception):
    """Anything that goes wrong on the graph floor."""


class GraphUnavailable(GraphError):
    """The graph cannot be reached right now."""


class GraphRejected(GraphError):
    """The graph refused a query."""


class SchemaMissing(GraphError):
    """The graph lacks its constraints or indexes."""


class RestoreUnfinished(SchemaMissing):
    """A graph is being put back, so nothing may be served or stored."""


class MigrationError(GraphError):
    """The migrations cannot be applied as they stand."""


class UnknownCampaign(GraphError):
    """No campaign has that id."""


class UnknownModel(GraphError):
    """No model has that version."""


class UnknownRun(GraphError):
    """No training run has that id."""


class UnknownReceipt(GraphError):
    """No erasure has that receipt."""


class UnknownReport(GraphError):
    """No quality report has that id."""


class LeaseLost(GraphError):
    """The lease has passed to somebody else."""
