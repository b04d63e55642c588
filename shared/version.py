"""The version of the app, in one place: CHANGELOG.md has what is in it."""

VERSION = "0.9.0"
