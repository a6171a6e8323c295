"""People and pipelines of the portal: users, owners, teams, deal pipelines. Nothing here touches records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hubsync.sandbox.times import iso


@dataclass(frozen=True, slots=True)
class Team:
    """A team of users."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner with the user behind it. An archived owner (deactivated user) shows no `userId`."""

    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    created: int
    updated: int
    archived: bool = False
    teams: tuple[Team, ...] = ()
    type: str = "PERSON"
    super_admin: bool = False

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()

    def to_json(self) -> dict[str, Any]:
        """The owner as the owners API shows it; `teams` is absent where there are none."""
        body: dict[str, Any] = {
            "id": self.id,
            "email": self.email,
            "type": self.type,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": None if self.archived else self.user_id,
            "userIdIncludingInactive": self.user_id,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
            "archived": self.archived,
        }
        if self.teams:
            body["teams"] = [
                {"id": team.id, "name": team.name, "primary": place == 0} for place, team in enumerate(self.teams)
            ]
        return body


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a deal pipeline; `closed` with probability 1.0 is won, with 0.0 lost."""

    id: str
    label: str
    order: int
    probability: float
    closed: bool = False

    @property
    def won(self) -> bool:
        """True for the closed step of deals that were won."""
        return self.closed and self.probability == 1.0

    def to_json(self, at: str) -> dict[str, Any]:
        """The stage as the pipelines API shows it; metadata are strings."""
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.order,
            "metadata": {"isClosed": str(self.closed).lower(), "probability": str(self.probability)},
            "createdAt": at,
            "updatedAt": at,
            "archived": False,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A deal pipeline."""

    id: str
    label: str
    order: int
    stages: tuple[Stage, ...]

    def stage(self, stage_id: str) -> Stage:
        """The step with that id. Raises KeyError."""
        for stage in self.stages:
            if stage.id == stage_id:
                return stage
        raise KeyError(f"pipeline {self.id} has no stage {stage_id}")

    def to_json(self, at: str) -> dict[str, Any]:
        """The pipeline as the pipelines API shows it."""
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.order,
            "stages": [stage.to_json(at) for stage in self.stages],
            "createdAt": at,
            "updatedAt": at,
            "archived": False,
        }


DEFAULT_PIPELINE = Pipeline(
    "default",
    "Sales Pipeline",
    0,
    (
        Stage("appointmentscheduled", "Appointment Scheduled", 0, 0.2),
        Stage("qualifiedtobuy", "Qualified To Buy", 1, 0.4),
        Stage("presentationscheduled", "Presentation Scheduled", 2, 0.6),
        Stage("decisionmakerboughtin", "Decision Maker Bought-In", 3, 0.8),
        Stage("contractsent", "Contract Sent", 4, 0.9),
        Stage("closedwon", "Closed Won", 5, 1.0, closed=True),
        Stage("closedlost", "Closed Lost", 6, 0.0, closed=True),
    ),
)


@dataclass(slots=True)
class Directory:
    """Owners, teams and pipelines by id."""

    owners: dict[str, Owner] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    pipelines: dict[str, Pipeline] = field(default_factory=lambda: {"default": DEFAULT_PIPELINE})

    def add_team(self, name: str) -> Team:
        """Found a team."""
        team = Team(str(300_001 + len(self.teams)), name)
        self.teams[team.id] = team
        return team

    def add_owner(
        self,
        email: str,
        first_name: str,
        last_name: str,
        *,
        teams: tuple[Team, ...] = (),
        archived: bool = False,
        super_admin: bool = False,
        created: int = 1_577_836_800_000,
    ) -> Owner:
        """Invite a user, who becomes an owner. The first of `teams` is the primary one; `created` in milliseconds."""
        place = len(self.owners)
        owner = Owner(
            str(41_600_011 + 7 * place),
            9_586_504 + 13 * place,
            email,
            first_name,
            last_name,
            created,
            created,
            archived,
            teams,
            super_admin=super_admin,
        )
        self.owners[owner.id] = owner
        return owner

    def deactivate(self, owner_id: str, at: int) -> Owner:
        """Deactivate the user behind an owner at `at` (ms); records keep pointing at the owner. Raises KeyError."""
        owner = replace(self.owners[owner_id], archived=True, updated=at)
        self.owners[owner_id] = owner
        return owner

    def add_pipeline(self, pipeline: Pipeline) -> None:
        """Add or replace a deal pipeline."""
        self.pipelines[pipeline.id] = pipeline

    def stage(self, pipeline: str, stage: str) -> Stage | None:
        """The pipeline's step, None where either is unknown."""
        found = self.pipelines.get(pipeline)
        return next((step for step in found.stages if step.id == stage), None) if found else None
