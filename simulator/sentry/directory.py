"""The projects, teams and people of the fake Sentry's organization, and who may see what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from simulator.sentry.model import Actor, Member, Missing, Project, Team, User

DEFAULT_PROJECT = "fe"
DEFAULT_TEAM = "frontend"
OWNER = "owner@acme.example"

FIRST_MEMBER_ID = 5001
FIRST_TEAM_ID = 45


class Directory:
    """Whom and what the organization has; it starts with one project, one team and its owner."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        self.teams: dict[str, Team] = {}
        self.users: dict[int, User] = {}
        self.members: dict[str, Member] = {}
        self.forbidden: set[str] = set()
        self.releases: dict[str, list[str]] = {}
        self.add_project(DEFAULT_PROJECT, name="FE", platform="javascript")
        self.add_team(DEFAULT_TEAM, name="Frontend", projects=(DEFAULT_PROJECT,))
        self.add_member(OWNER, name="Olive Owner", role="owner")

    def add_project(self, slug: str, *, name: str | None = None, platform: str = "python") -> Project:
        project = Project(str(len(self.projects) + 1), slug, name or slug, platform)
        self.projects[slug] = project
        return project

    def add_release(self, slug: str, version: str) -> None:
        """Add a release of a project, newer than those that it has."""
        self.releases.setdefault(self.projects[slug].slug, []).append(version)

    def forbid(self, slug: str) -> None:
        """Keep the integration's token out of a project."""
        self.forbidden.add(self.projects[slug].slug)

    def add_team(self, slug: str, *, name: str | None = None, projects: Iterable[str] = ()) -> Team:
        team = Team(FIRST_TEAM_ID + len(self.teams), slug, name or slug, frozenset(projects))
        self.teams[slug] = team
        return team

    def add_member(
        self,
        email: str,
        *,
        name: str | None = None,
        teams: Iterable[str] = (DEFAULT_TEAM,),
        other_emails: tuple[str, ...] = (),
        unverified_emails: tuple[str, ...] = (),
        role: str = "member",
        invited: bool = False,
        has_password: bool = True,
        assigns_self_on_resolve: bool = False,
    ) -> Member:
        """Add a person, or an invitation that nobody has accepted yet.

        Of the further addresses, ``unverified_emails`` are those that the person only claims.
        """
        user = None
        if not invited:
            user = User(
                len(self.users) + 1,
                name or email.partition("@")[0].title(),
                email,
                other_emails,
                unverified_emails,
                has_password,
                assigns_self_on_resolve,
            )
            self.users[user.id] = user
        member_id = str(FIRST_MEMBER_ID + len(self.members))
        member = Member(member_id, email, user, role, frozenset(teams))
        # A second account of an address is found by its ids only, as people find the first.
        key = email.lower()
        self.members[f"{key} {member_id}" if key in self.members else key] = member
        return member

    def remove_member(self, email: str) -> None:
        """Remove a person's seat; the account stays, as in Sentry."""
        if email.lower() not in self.members:
            raise Missing(email)
        # The row stays, so that ids keep counting up; without a role it belongs to nobody.
        self.members[email.lower()] = replace(self.members[email.lower()], role="", teams=frozenset())

    def listed(self) -> list[Member]:
        return [member for member in self.members.values() if member.role]

    def member_of(self, user_id: int) -> Member | None:
        return next((m for m in self.listed() if m.user is not None and m.user.id == user_id), None)

    def team(self, team_id: int) -> Team | None:
        return next((team for team in self.teams.values() if team.id == team_id), None)

    def project(self, project_id: str) -> Project | None:
        return next((project for project in self.projects.values() if project.id == project_id), None)

    def find_by_username(self, name: str) -> User | None:
        """Find who signs in as ``name``, which is a user's primary e-mail.

        Sentry quirk: the look-up misses people without a password (getsentry/sentry-mcp#438).
        """
        wanted = name.lower()
        return next((u for u in self.users.values() if u.has_password and u.email.lower() == wanted), None)

    def person(self, email: str) -> Actor:
        """Name a member as the one who acts."""
        member = self.members.get(email.lower())
        if member is None or member.user is None:
            raise Missing(f"{email} is no member")
        return Actor("user", member.user.id, member.user.name)

    def projects_of(self, member: Member) -> list[str]:
        seen = {slug for team in member.teams for slug in self.teams[team].projects}
        return [slug for slug in self.projects if slug in seen]

    def people_of(self, project: Project) -> list[Member]:
        return [m for m in self.listed() if m.user is not None and project.slug in self.projects_of(m)]
