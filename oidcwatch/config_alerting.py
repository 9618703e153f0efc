"""The shape of `alerting`: where people look, who is called, when tickets and maintenance are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from oidcwatch.config_base import Model
from oidcwatch.config_values import BaseUrl, Location, Name, OwnerName, TeamText, Text, TimeOfDay, WeekDays, refuse

Kind = Literal["webhook", "slack", "pagerduty", "opsgenie", "email"]
Route = Literal["page", "ticket", "security", "drill", "deadman", "default"]


def _field(value: Any) -> str | int | bool:
    # What was found is not repeated: a secret may stand here.
    if isinstance(value, str | int | bool):
        return value
    refuse("must be text, a whole number, true or false", in_full=True)


FieldValue = Annotated[str | int | bool, BeforeValidator(_field)]
Entry = dict[Kind, dict[Text, FieldValue]]
"""One receiver: its kind, and Alertmanager's own fields."""


class OfficeHoursModel(Model):
    """When tickets are delivered; pages always are."""

    days: WeekDays = "monday:friday"
    """Days as Alertmanager writes them: one, or first and last."""
    start: TimeOfDay = "08:00"
    """First minute."""
    end: TimeOfDay = "18:00"
    """Minute after the last."""
    location: Location = "UTC"
    """Time zone of the IANA database."""


class MaintenanceModel(Model):
    """A recurring time in which alerts about issuers reach nobody, but for those of security.

    Alerts about no issuer are told too: the sign of life, an agent that is gone. Budgets count on.
    """

    name: Name
    """Name of the time interval in Alertmanager; unique."""
    issuers: list[Name] = Field(default_factory=list)
    """Issuers under maintenance; all when absent."""
    days: WeekDays
    """Days on which it starts, as Alertmanager writes them: one, or first and last."""
    start: TimeOfDay
    """First minute."""
    end: TimeOfDay
    """Minute after the last; when it is before the start, that of the next day."""
    location: Location = "UTC"
    """Time zone of the IANA database."""


class TeamModel(Model):
    """Who is told of what one team owns, in place of the receivers of all; drills and security go where they do."""

    page: list[Entry] = Field(default_factory=list)
    """Whom to page; those of all when absent."""
    ticket: list[Entry] = Field(default_factory=list)
    """Who gets tickets; those of all when absent."""


class AlertingModel(Model):
    """What rules, Alertmanager's configuration, dashboards and runbooks are generated with."""

    runbooks_url: BaseUrl = ""
    """Where the generated runbooks are published."""
    grafana_url: BaseUrl = ""
    """Grafana."""
    prometheus_url: BaseUrl = ""
    """Prometheus, as people reach it."""
    alertmanager_url: BaseUrl = ""
    """Alertmanager, as people reach it."""
    owners: dict[OwnerName, TeamText] = Field(default_factory=dict)
    """Team by kind of owner (network, application, security, ...), as it is to stand in the label `owner`."""
    receivers: dict[Route, list[Entry]] = Field(default_factory=dict)
    """Who is told, by route: entries such as {webhook: {url: ...}} with Alertmanager's own fields; secrets as files."""
    teams: dict[Text, TeamModel] = Field(default_factory=dict)
    """Who is told of what a team owns, by team: an `owner` of an issuer or a client, or a value of `owners`."""
    office_hours: OfficeHoursModel = OfficeHoursModel()
    """When tickets are delivered."""
    maintenance: list[MaintenanceModel] = Field(default_factory=list)
    """Recurring maintenance windows."""
    min_regions: Annotated[int, Field(ge=1, le=100)] = 2
    """Regions that must agree before somebody is paged; 1 only where there is no second."""
