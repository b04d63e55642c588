/* What the API's words say to people. docs/glossary.md is where the words themselves are explained. */

/** @import { Entry, Event, Link, Side } from "./shapes.js" */

/** @type {Record<string, string>} */
const STATUSES = { ignored: "archived" };
/** @type {Record<Side, string>} */
export const SERVICES = { ado: "Azure DevOps", sentry: "Sentry" };
/** @type {Record<string, string>} */
export const REASONS = {
  archived: "the issue is archived in Sentry, and the sync does not undo that",
  removed: "the work item is in a state of the category Removed",
  "waits-for-others": "the other links of that end are not all done yet",
  sibling: "the change came from another link, and goes no further",
  "inbound-off": "changes in Azure DevOps were not to travel to Sentry",
  "outbound-off": "changes in Sentry were not to travel to Azure DevOps",
  "differed-when-linked": "they differed when they were linked, and nobody has changed them since",
  "assignee-not-found": "no user there has this e-mail address and can be assigned",
  "assignee-ambiguous": "more than one account there has this e-mail address",
  "assignee-unreadable": "the assignee has no readable e-mail address",
  "team-assignee": "the assignee is a Sentry team, not a person",
  refused: "the change was refused",
  "work-item-gone": "the work item was deleted, or our credentials may not read it",
  "issue-gone": "the issue was deleted, or our token may not read it",
  forbidden: "our credentials do not reach this one thing",
  unauthorized: "our credentials were not accepted or lack a permission",
  throttled: "the service asked us to wait",
  unavailable: "the service cannot be reached",
  "unknown-certificate-authority": "the server's certificate comes from an authority that the app does not know",
  "expired-certificate": "the server's certificate is not valid at this time",
  "certificate-of-another-name": "the server's certificate is for another name",
  "unusable-certificate": "the server's certificate is not accepted",
  "no-tls": "the server does not speak TLS as the app does",
  "unknown-host-name": "the server's name is not found",
  "unsupported-version": "the server is too old for the app",
  "unknown-state": "the category of the state is unknown",
  "no-such-state": "the work item type has no suitable state",
  "state-unreachable": "the workflow leads to no suitable state within three steps",
  flapping: "something keeps changing it back",
  "missing-setting": "a setting of the app is missing",
  conflict: "it changed at the same time on every attempt",
  copied: "somebody had it copied over",
};
/* Why both sides of a link may have been left apart, as far as it can be filtered by. */
export const APART = [
  "inbound-off",
  "outbound-off",
  "archived",
  "waits-for-others",
  "sibling",
  "assignee-not-found",
  "team-assignee",
  "removed",
  "differed-when-linked",
];

/** @param {string} word */
const spaced = (word) => word.replaceAll("-", " ");

/** @param {string} reason */
export const inWords = (reason) => REASONS[reason] ?? spaced(reason);

/** @param {string} status */
export const statusInWords = (status) => STATUSES[status] ?? status;

/**
 * Return the state of a link's work item, with the reasons for it where they may be why the issue is archived.
 * @param {Link} link
 */
export function stateOf({ work_item: { state, status, reasons } }) {
  const why = status === "ignored" ? (reasons ?? []).join(", ") : "";
  return why ? `${state} (${why})` : state;
}

/** @param {Link} link */
export const nameOfIssue = (link) => link.issue.short_id ?? `issue ${link.issue_id}`;

/** @param {Link} link */
export const nameOf = (link) => `${nameOfIssue(link)} and #${link.work_item_id}`;

/**
 * Return how a link stands in one word, and whether that is good: what is left apart is never called in sync.
 * @param {Link} link
 * @returns {{ word: string, kind: "good" | "warn" | "soft" }}
 */
export function standOf(link) {
  if (link.health === "settled" && link.sides === "apart") return { word: "apart", kind: "soft" };
  if (link.health === "settled") return { word: "agree", kind: "good" };
  return link.health === "pending" ? { word: "pending", kind: "soft" } : { word: "attention", kind: "warn" };
}

/**
 * Return why a link stands as it does, in short.
 * @param {Link} link
 */
export function whyOf(link) {
  if (link.sides === "apart") return [...new Set(link.apart.map(({ reason }) => spaced(reason)))].join(", ");
  return link.reason === null ? "" : spaced(link.reason);
}

/**
 * Describe the outcome of a request about one link; only what brought both sides together is good.
 * @param {string} outcome
 * @param {Link | undefined} link as it stands afterwards
 * @returns {{ text: string, kind: "good" | "warn" }}
 */
export function outcomeInWords(outcome, link) {
  const differs = link !== undefined && link.sides !== "agree";
  const rest = differs ? ` ${sentenceOfStand(link)}` : "";
  switch (outcome) {
    case "applied":
    case "conflict-resolved":
      return { text: `one side was changed.${rest}`, kind: differs ? "warn" : "good" };
    case "agreed":
    case "settled":
    case "echo":
      return { text: `nothing had to be changed.${rest}`, kind: differs ? "warn" : "good" };
    case "skipped":
      return { text: `nothing was changed.${rest}`, kind: "warn" };
    case "refused":
      return { text: `the other side refused the change.${rest}`, kind: "warn" };
    default:
      return { text: `${spaced(outcome)}.${rest}`, kind: "warn" };
  }
}

/** @param {Link} link */
function sentenceOfStand(link) {
  if (link.sides === "apart")
    return `Both sides are left apart: ${link.apart.map((each) => inWords(each.reason)).join("; ")}.`;
  const stand = link.health === "pending" ? "It is pending" : "It needs attention";
  return link.reason === null ? "" : `${stand}: ${inWords(link.reason)}.`;
}

/**
 * Describe one entry of a link's history in a sentence.
 * @param {Entry} entry
 */
export function describeEntry({ outcome, direction, field, from, to, reason }) {
  const [source, target] = direction === "inbound" ? ["Azure DevOps", "Sentry"] : ["Sentry", "Azure DevOps"];
  const noun = (/** @type {string} */ side) =>
    field === "assignee" ? "assignee" : side === "Sentry" ? "status" : "state";
  const named = (/** @type {string | null} */ value) => value ?? (field === "assignee" ? "nobody" : "unknown");
  const change = `from ${named(from)} to ${named(to)}`;
  const why = reason ? `: ${inWords(reason)}` : "";
  switch (outcome) {
    case "linked":
      return "Linked.";
    case "unlinked":
      return `Unlinked${why}.`;
    case "applied":
      return reason === "copied"
        ? `${source} was copied over. ${target}: ${noun(target)} set ${change}.`
        : `${target}: ${noun(target)} set ${change}, because ${source} changed.`;
    case "agreed":
      return `${source}: ${noun(source)} changed ${change}; ${target} already agreed.`;
    case "skipped":
      return `${source}: ${noun(source)} changed ${change}. ${target} was not changed${why}.`;
    case "conflict-resolved":
      return `Both sides changed and ${source} won. ${target}: ${noun(target)} set ${change}.`;
    case "refused":
      return `${target} refused the ${noun(target)} ${named(to)}${why}.`;
    case "recovered":
      return `Recovered${why}.`;
    case "moved":
      return `Sentry merged the issue; the link follows it${reason ? ` (${inWords(reason)})` : ""}.`;
    case "commented":
      return `A comment was copied to ${target}.`;
    case "comment-edited":
      return "The copy of a comment was changed, as the comment was.";
    case "comment-deleted":
      return "The copy of a comment was removed, as the comment was.";
    case "already-commented":
      return `The comment was already in ${target}.`;
    case "failed": {
      const [word = "", ...detail] = (reason ?? "").split(": ");
      return `Failed: ${inWords(word)}.${detail.length ? ` (${detail.join(": ")})` : ""}`;
    }
    default:
      return `${spaced(outcome)}${why}.`;
  }
}

/** @type {Record<string, string>} */
const OUTCOMES = {
  applied: "the other side was changed",
  agreed: "both sides had come to the same",
  settled: "nothing had changed",
  echo: "nothing newer than what was seen",
  skipped: "left alone",
  "conflict-resolved": "both sides had changed; one won",
  refused: "the other side refused the change",
  failed: "failed",
  retry: "failed, and is tried again",
  "put-back": "failed, and is tried again",
  began: "a problem began",
  cured: "a problem ended",
};

/**
 * Describe what became of one event.
 * @param {Event} event
 */
export function describeEvent({ outcome, reason }) {
  const why = reason ? `: ${inWords(reason)}` : "";
  return `${OUTCOMES[outcome] ?? spaced(outcome)}${why}`;
}

/** @param {Event} event */
export const isBad = ({ outcome }) => ["refused", "failed", "retry", "put-back", "began"].includes(outcome);

/** @type {Record<string, string>} */
const SUBSCRIPTIONS = {
  enabled: "✓ enabled",
  unknown: "? not looked at",
  missing: "✕ missing",
};

/** @param {string} state */
export const subscriptionInWords = (state) => SUBSCRIPTIONS[state] ?? `✕ ${spaced(state)}`;
