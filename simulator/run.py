"""The playground: both fakes and the app, connected and linked, until Ctrl-C; the pages are for playing."""

import sys
import time

from simulator.demo import interrupt_on_signals, prepare_output
from simulator.hands import LINKS, Hands, HandsError
from simulator.stack import SLUG, Stack, StackError

_POLL_EVERY = 0.5  # seconds


def main() -> int:
    prepare_output()
    interrupt_on_signals()
    print("Starting Azurite, a simulated Azure DevOps, a simulated Sentry and the app …")
    try:
        with Stack(on_host_line=lambda line: print(f"  {line}", end="")) as stack:
            hands = Hands(stack)
            hands.connect()
            hands.subscribe()
            hands.link()
            print(_welcome(stack))
            while (ended := stack.find_ended()) is None:
                time.sleep(_POLL_EVERY)
        print(f"{ended} ended by itself; everything else was stopped.")
    except (StackError, HandsError) as error:
        print(error)
    except KeyboardInterrupt:
        print("\nEverything was stopped.")
        return 0
    return 1


def _welcome(stack: Stack) -> str:
    api = f"{stack.app_url}/api/organizations/{SLUG}"
    curl = f"curl -s -H 'x-functions-key: {stack.secrets.function_key}'"
    issue_id, work_item_id = LINKS[0]
    linked = ", ".join(f"issue {issue} and #{item}" for issue, item in LINKS)
    return f"""
Linked: {linked}. Change one on its page and watch the other:
  Azure DevOps  {stack.ado_url}/
  Sentry        {stack.sentry_url}/
  admin page    {api}/admin?code={stack.secrets.function_key}
  health        {stack.app_url}/api/health

Ask the app:
  {curl} {api}/links
  {curl} {api}/links/{issue_id}/{work_item_id}/activity
  {curl} -X POST {api}/reconcile

Ctrl-C stops everything. The app's log:
"""


if __name__ == "__main__":
    sys.exit(main())
