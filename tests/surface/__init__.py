"""The description of the HTTP surface: made from bindings and types, and held to what the app answers."""
