"""The shape of `alerting`: where people look, who is called, when tickets and maintenance are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from oidcwatch.config_issuer import Model
from oidcwatch.config_values import BaseUrl, Location, Name, OwnerName, Text, TimeOfDay, WeekDays

Kind = Literal["webhook", "slack", "pagerduty", "opsgenie", "email"]
Route = Literal["page", "ticket", "security", "drill", "deadman", "default"]
Fields = dict[Text, str | int | bool]


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
    """A recurring time in which alerts reach nobody. Budgets count on."""

    name: Name
    """Name of the time interval in Alertmanager; unique."""
    issuers: list[Name] = Field(default_factory=list)
    """Issuers under maintenance; all when absent."""
    days: WeekDays
    """Days as Alertmanager writes them: one, or first and last."""
    start: TimeOfDay
    """First minute."""
    end: TimeOfDay
    """Minute after the last; the same day."""
    location: Location = "UTC"
    """Time zone of the IANA database."""


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
    owners: dict[OwnerName, Text] = Field(default_factory=dict)
    """Team by kind of owner (network, application, security, ...), as it is to stand in the label `owner`."""
    receivers: dict[Route, list[dict[Kind, Fields]]] = Field(default_factory=dict)
    """Who is told, by route: entries such as {webhook: {url: ...}} with Alertmanager's own fields; secrets as files."""
    office_hours: OfficeHoursModel = OfficeHoursModel()
    """When tickets are delivered."""
    maintenance: list[MaintenanceModel] = Field(default_factory=list)
    """Recurring maintenance windows."""
    min_regions: Annotated[int, Field(ge=1, le=100)] = 2
    """Regions that must agree before somebody is paged; 1 only where there is no second."""
