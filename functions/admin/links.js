/* The list of links: filtered by the server, a line for each, which opens to its history and what can be done. */

/** @import { Entry, Link, LinkPage, Side } from "./shapes.js" */
import { ask, query, Refusal } from "./api.js";
import {
  anchor,
  answerTo,
  build,
  button,
  byId,
  capitalized,
  clock,
  counted,
  inputById,
  isEmpty,
  newId,
  onClick,
  say,
  show,
  telling,
  timeOf,
} from "./dom.js";
import {
  APART,
  describeEntry,
  inWords,
  nameOf,
  nameOfIssue,
  outcomeInWords,
  REASONS,
  SERVICES,
  standOf,
  stateOf,
  statusInWords,
  whyOf,
} from "./words.js";

const MOST_PAGES_AT_ONCE = 20;
const TYPING_ENDS = 300; // milliseconds without a keystroke

/**
 * @typedef {object} Row
 * @property {HTMLLIElement} element
 * @property {Link} link
 * @property {(link: Link) => Promise<void> | void} update
 * @property {() => boolean} isInUse whether somebody has opened it, or has the focus in it
 */

/** @type {Map<string, Row>} */
const rows = new Map();
/** @type {string | null} */
let continuation = null;
let listing = 0;
let afterChange = () => {};

/** @param {Link} link */
const keyOf = (link) => `${link.issue_id}/${link.work_item_id}`;

/* Filters. */

/** @type {Record<string, Record<string, string>>} */
const STANDS = {
  attention: { health: "attention" },
  pending: { health: "pending" },
  apart: { sides: "apart" },
  agree: { sides: "agree" },
};

/** @returns {Record<string, string>} */
function filter() {
  const chosen = {
    ...STANDS[inputById("filter-stand").value],
    reason: inputById("filter-reason").value,
    project: inputById("filter-project").value,
    q: inputById("filter-text").value.trim(),
  };
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value));
}

/**
 * Show the links that a filter names.
 * @param {{ stand?: string, reason?: string, text?: string }} wanted
 */
export async function showLinks({ stand = "", reason = "", text = "" }) {
  inputById("filter-stand").value = stand;
  offerReason(reason);
  inputById("filter-reason").value = reason;
  inputById("filter-project").value = "";
  inputById("filter-text").value = text;
  await listLinks();
}

/** @param {string} reason */
function offerReason(reason) {
  const select = byId("filter-reason");
  const offered = [...select.querySelectorAll("option")].map((option) => option.value);
  if (!offered.includes(reason)) select.append(build("option", { value: reason }, capitalized(inWords(reason))));
}

/**
 * Offer the projects to filter by, if there are several.
 * @param {{ id: string, name: string }[]} projects
 */
export function offerProjects(projects) {
  const select = inputById("filter-project");
  const was = select.value;
  select.replaceChildren(
    build("option", { value: "" }, "all"),
    ...projects.map(({ id, name }) => build("option", { value: id }, name)),
  );
  select.value = projects.some(({ id }) => id === was) ? was : "";
  byId("filter-project-field").hidden = projects.length < 2;
}

/* The list. */

/**
 * Ask for one page of links.
 * @param {string | null} from
 * @param {Record<string, string>} wanted
 * @param {boolean} isQuiet
 * @returns {Promise<LinkPage>}
 */
async function page(from, wanted, isQuiet = false) {
  const { content } = await ask("GET", `/links${query({ ...wanted, continuation: from })}`, { isQuiet });
  return content;
}

/**
 * Read pages until there are enough links; a filtered page may be empty and not the last.
 * @param {number} enough
 * @param {string | null} from
 * @param {Record<string, string>} wanted
 * @param {boolean} isQuiet
 */
async function read(enough, from, wanted, isQuiet) {
  /** @type {Link[]} */
  const links = [];
  let next = from;
  for (let asked = 0; asked < MOST_PAGES_AT_ONCE; asked += 1) {
    const answer = await page(next, wanted, isQuiet);
    links.push(...answer.links);
    next = answer.continuation;
    if (next === null || links.length >= enough) break;
  }
  return { links, next };
}

/** Show the first links that the filter names. */
export async function listLinks() {
  const current = ++listing;
  say(byId("links-said"), "Loading …");
  const found = await read(1, null, filter(), false);
  if (current !== listing) return; // A newer listing has started.
  rows.clear();
  byId("links").replaceChildren();
  continuation = found.next;
  place(found.links);
  say(byId("links-said"), "");
  showCount();
}

async function moreLinks() {
  const current = ++listing;
  const found = await read(1, continuation, filter(), false);
  if (current !== listing) return;
  continuation = found.next;
  const shown = [...rows.values()].map(({ link }) => link);
  place([...shown, ...found.links.filter((link) => !rows.has(keyOf(link)))]);
  showCount();
}

/** Bring the lines that are shown up to date; one that somebody has opened stays, whatever the filter says. */
export async function refreshLinks() {
  const current = ++listing;
  const found = await read(Math.max(rows.size, 1), null, filter(), true);
  const named = new Set(found.links.map(keyOf));
  const kept = [...rows.values()].filter((row) => !named.has(keyOf(row.link)) && row.isInUse());
  const still = await Promise.all(kept.map(({ link }) => one(link, true)));
  if (current !== listing) return;
  continuation = found.next;
  const others = still.filter((link) => link !== undefined);
  place(found.links, others);
  showCount();
}

/**
 * Put lines in order without touching those that stand where they belong, so that nobody loses the focus.
 * @param {Link[]} links
 * @param {Link[]} others that stay where they are
 */
function place(links, others = []) {
  const wanted = new Set([...links, ...others].map(keyOf));
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    if (row.element.contains(document.activeElement)) byId("links-title").focus();
    row.element.remove();
    rows.delete(key);
  }
  for (const link of others) rows.get(keyOf(link))?.update(link);
  const staying = new Set(others.map((link) => rows.get(keyOf(link))?.element));
  let at = byId("links").firstElementChild;
  for (const link of links) {
    const row = rows.get(keyOf(link)) ?? add(link);
    row.update(link);
    while (at instanceof HTMLLIElement && staying.has(at)) at = at.nextElementSibling;
    if (row.element === at) at = at.nextElementSibling;
    else byId("links").insertBefore(row.element, at);
  }
}

/** @param {Link} link */
function add(link) {
  const row = drawLink(link);
  rows.set(keyOf(link), row);
  return row;
}

function showCount() {
  const more = continuation === null ? "" : ", and there are more";
  const which = isEmpty(filter()) ? "" : " that the filter names";
  const text = `${rows.size ? counted(rows.size, "link") : "No links"}${which}${more}.`;
  show(byId("links-count"), text);
  byId("more-links").hidden = continuation === null;
  byId("copy-shown").hidden = inputById("filter-stand").value !== "apart" || rows.size === 0;
}

/**
 * Ask for one link.
 * @param {Link} link
 * @param {boolean} isQuiet
 * @returns {Promise<Link | undefined>}
 */
async function one({ issue_id, work_item_id }, isQuiet = false) {
  try {
    return (await page(null, { issue_id, work_item_id: String(work_item_id) }, isQuiet)).links[0];
  } catch (refusal) {
    if (refusal instanceof Refusal && refusal.status === 404) return undefined;
    throw refusal;
  }
}

/**
 * Return links that need attention, to tell what a problem is about.
 * @returns {Promise<Link[]>}
 */
export async function linksInNeed() {
  return (await read(1000, null, { health: "attention" }, true)).links;
}

/**
 * Sync one link at once, and return the outcome.
 * @param {Link} link
 * @returns {Promise<string>}
 */
export async function syncNow({ issue_id, work_item_id }) {
  return (await ask("POST", "/reconcile", { body: { issue_id, work_item_id } })).content.outcome;
}

/* One line. */

/**
 * @param {string} status
 * @param {string | null} assignee
 */
const stand = (status, assignee) => `${status} · ${assignee ?? "nobody"}`;

/**
 * Draw the line of a link, and its panel.
 * @param {Link} first
 * @returns {Row}
 */
function drawLink(first) {
  const name = nameOf(first);
  const issue = build("span", { class: "end" });
  const item = build("span", { class: "end" });
  const [issueStand, itemStand] = [build("span", { class: "stand" }), build("span", { class: "stand" })];
  const badge = build("b", { class: "badge" });
  const why = build("span", { class: "soft cut" });
  const when = build("span", { class: "when soft" });
  const panel = drawPanel(first);
  const toggler = build("button", {
    type: "button",
    class: "toggle",
    "aria-expanded": "false",
    "aria-controls": panel.element.id,
    "aria-label": `Details: ${name}`,
  });
  const line = build(
    "div",
    { class: "line", click: clicked },
    toggler,
    issue,
    issueStand,
    build("span", { class: "arrows", "aria-hidden": "true" }, "⇄"),
    item,
    itemStand,
    build("span", { class: "state" }, badge, why),
    when,
  );
  const element = build("li", { "data-link": keyOf(first) }, line, panel.element);

  /** @param {MouseEvent} event */
  function clicked({ target }) {
    if (target instanceof Element && !target.closest("a")) toggle();
  }
  function toggle() {
    const isOpening = panel.element.hidden;
    panel.element.hidden = !isOpening;
    toggler.setAttribute("aria-expanded", String(isOpening));
    if (isOpening) panel.tell();
  }

  /** @type {Row} */
  const row = {
    element,
    link: first,
    isInUse: () => !panel.element.hidden || element.contains(document.activeElement),
    update(link) {
      const isNews = element.dataset.seen !== JSON.stringify(link);
      if (!isNews) return;
      element.dataset.seen = JSON.stringify(link);
      row.link = link;
      updateEnd(issue, link.issue.url, nameOfIssue(link), link.issue.title ?? "");
      updateEnd(item, link.url, `#${link.work_item_id}`, link.title);
      show(issueStand, stand(statusInWords(link.issue.status), link.issue.assignee));
      show(itemStand, stand(stateOf(link), link.work_item.assignee));
      issueStand.title = issueStand.textContent ?? "";
      itemStand.title = itemStand.textContent ?? "";
      const { word, kind } = standOf(link);
      badge.className = `badge ${kind}`;
      show(badge, word);
      show(why, whyOf(link));
      const at = link.since ?? link.synced_at;
      when.title = link.since === null ? "Last synced" : `${word} since`;
      when.replaceChildren(at === null ? "" : timeOf(at));
      panel.update(link);
      if (!panel.element.hidden) panel.tell();
    },
  };
  return row;
}

/**
 * Show one end of a link; the element with the focus is left in place.
 * @param {HTMLElement} end
 * @param {string | null} address
 * @param {string} id
 * @param {string} title
 */
function updateEnd(end, address, id, title) {
  const text = `${address} ${id} ${title}`;
  if (end.dataset.shows === text) return;
  end.dataset.shows = text;
  end.title = title;
  end.replaceChildren(anchor(address, id, "id"), " ", build("span", { class: "title" }, title));
}

/**
 * Draw what a line opens to: why both sides stand so, what can be done, what happened.
 * @param {Link} first
 */
function drawPanel(first) {
  const name = nameOf(first);
  let link = first;
  const facts = build("ul", { class: "facts" });
  const said = build("p", { role: "status" });
  const sentences = build("ol", { class: "sentences", "aria-label": `Explanation: ${name}` });
  const entries = build("ol", { class: "history", "aria-label": `History: ${name}` });
  const older = button("Show older", said, further);
  /** @type {string | null} */
  let next = null;

  /**
   * @param {string} text
   * @param {string} about
   * @param {() => unknown} work
   */
  const action = (text, about, work) => button(text, said, work, { "aria-label": `${text}: ${about}` });
  const issueName = nameOfIssue(first);
  const itemName = `#${first.work_item_id}`;
  const element = build(
    "div",
    { class: "panel", hidden: true, id: newId() },
    facts,
    build(
      "div",
      { class: "row" },
      action("Sync now", name, () => tried("Sync now", () => syncNow(link))),
      action("Copy →", `${issueName} to ${itemName}`, () => tried("Copy →", () => copy("sentry"))),
      action("← Copy", `${itemName} to ${issueName}`, () => tried("← Copy", () => copy("ado"))),
      action("Unlink", name, unlink),
    ),
    said,
    build("h3", {}, "Why"),
    sentences,
    build("h3", {}, "History"),
    entries,
    older,
  );

  /** @param {Side} from */
  async function copy(from) {
    const path = `/links/${encodeURIComponent(link.issue_id)}/${link.work_item_id}/copy`;
    return (await ask("POST", path, { body: { from } })).content.outcome;
  }
  /**
   * Do something to the link, and say truthfully what came of it.
   * @param {string} what
   * @param {() => Promise<string>} work
   */
  async function tried(what, work) {
    say(said, `${what}: working …`);
    try {
      const outcome = await work();
      const now = await one(link);
      const { text, kind } = outcomeInWords(outcome, now);
      say(said, `${what}: ${text}`, kind);
    } finally {
      // A failure also changes how the link stands, and its history.
      const now = await one(link);
      if (now) rows.get(keyOf(now))?.update(now);
      await tell();
      afterChange();
    }
  }
  async function unlink() {
    const question = `Unlink ${nameOf(link)}? Both stay as they are and no longer follow each other.`;
    if ((await answerTo(question, ["yes", "Unlink"])) !== "yes") return;
    await ask("DELETE", `/links/${encodeURIComponent(link.issue_id)}/${link.work_item_id}`);
    rows.get(keyOf(link))?.element.remove();
    rows.delete(keyOf(link));
    showCount();
    say(byId("links-said"), `Unlinked ${nameOf(link)}.`, "good");
    byId("links-title").focus();
    afterChange();
  }
  async function further() {
    const path = `/links/${encodeURIComponent(link.issue_id)}/${link.work_item_id}/activity`;
    const { content } = await ask("GET", path + query({ continuation: next }), { isQuiet: true });
    entries.append(...content.activity.map(drawEntry));
    next = content.continuation;
    older.hidden = next === null;
  }
  /** Show the history, newest first, and the app's own explanation, for which both services are asked. */
  async function tell() {
    try {
      next = null;
      const path = `/links/${encodeURIComponent(link.issue_id)}/${link.work_item_id}/activity`;
      const { content } = await ask("GET", path, { isQuiet: true });
      entries.replaceChildren(...content.activity.map(drawEntry));
      next = content.continuation;
      older.hidden = next === null;
      await explain(sentences, { issue_id: link.issue_id, work_item_id: String(link.work_item_id) });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      sentences.replaceChildren(build("li", {}, refusal.message));
    }
  }
  return {
    element,
    tell,
    /** @param {Link} now */
    update(now) {
      link = now;
      facts.replaceChildren(...factsOf(now).map((fact) => build("li", {}, fact)));
    },
  };
}

/**
 * Say in full why a link stands as it does.
 * @param {Link} link
 * @returns {string[]}
 */
function factsOf(link) {
  const apart = link.apart.map(({ field, reason }) => `Left apart: the ${field}, since ${inWords(reason)}.`);
  const facts = [`${link.work_item_type} in ${link.display_name}`, ...apart];
  if (link.reason !== null) facts.push(`${capitalized(inWords(link.reason))}.`);
  if (link.detail) facts.push(link.detail);
  if (link.due !== null && link.health !== "settled") facts.push(`Next try ${clock(link.due)}.`);
  return facts;
}

/** @param {Entry} entry */
function drawEntry(entry) {
  const told = entry.told_by ? ` Told by the ${entry.told_by}.` : "";
  return build("li", {}, timeOf(entry.at), ` ${describeEntry(entry)}`, build("span", { class: "soft" }, told));
}

/**
 * Fill a list with the app's explanation of an issue, a work item or a link.
 * @param {HTMLElement} list
 * @param {Record<string, string>} about
 */
export async function explain(list, about) {
  const { content } = await ask("GET", `/explain${query(about)}`, { isQuiet: true });
  // Whoever reads this page has buttons for what the answer tells others to request.
  const next = (content.next ?? "").split(/(?<=\.) /).filter((/** @type {string} */ each) => !/POST /.test(each));
  list.replaceChildren(
    ...[...content.sentences, ...(next.length ? [`What comes next: ${next.join(" ")}`] : [])].map((sentence) =>
      build("li", {}, sentence),
    ),
  );
}

/* Many links. */

/** Look at everything at once, instead of at the next timer. */
async function syncAll() {
  say(byId("links-said"), "Looking at all links …");
  const { content } = await ask("POST", "/reconcile", { body: {} });
  const queued = content.drifted + content.issues;
  const rest = content.remaining ? " The rest is looked at in the next runs." : "";
  const found = queued ? `${counted(queued, "change")} found, carried over within seconds.` : "Nothing had changed.";
  say(byId("links-said"), `Looked at ${counted(content.links, "link")}. ${found}${rest}`);
  afterChange();
}

/**
 * Copy one side of all links that the filter names over to the other.
 * @param {Side} from
 */
async function copyShown(from) {
  const to = from === "ado" ? "sentry" : "ado";
  const question = `Copy the ${SERVICES[from]} side of all links that the filter names over to ${SERVICES[to]}?`;
  if ((await answerTo(question, ["yes", "Copy all"])) !== "yes") return;
  /** @type {Record<string, number>} */
  const outcomes = {};
  /** @type {string | null} */
  let next = null;
  for (;;) {
    /** @type {any} */
    const { content } = await ask("POST", `/links/copy${query({ ...filter(), continuation: next })}`, {
      body: { from },
    });
    for (const { outcome } of content.links) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    next = content.continuation;
    say(byId("links-said"), `Copying … ${Object.values(outcomes).reduce((sum, count) => sum + count, 0)} done.`);
    if (!content.remaining) break;
  }
  const isGood = Object.keys(outcomes).every((outcome) => ["applied", "agreed", "settled"].includes(outcome));
  const told = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome.replaceAll("-", " ")}`);
  await listLinks();
  say(byId("links-said"), `Copied: ${told.join(", ") || "no link"}.`, isGood ? "good" : "warn");
  afterChange();
}

/** @type {[string, (link: Link) => string | number | null][]} */
const COLUMNS = [
  ["issue", (link) => link.issue.short_id],
  ["issue_id", (link) => link.issue_id],
  ["issue_title", (link) => link.issue.title],
  ["issue_status", (link) => link.issue.status],
  ["issue_assignee", (link) => link.issue.assignee],
  ["work_item_id", (link) => link.work_item_id],
  ["work_item_type", (link) => link.work_item_type],
  ["work_item_title", (link) => link.title],
  ["work_item_state", (link) => link.work_item.state],
  ["work_item_assignee", (link) => link.work_item.assignee],
  ["health", (link) => link.health],
  ["sides", (link) => link.sides],
  ["reason", (link) => link.reason ?? link.apart.map(({ field, reason }) => `${field}: ${reason}`).join("; ")],
  ["detail", (link) => link.detail],
  ["since", (link) => link.since],
  ["next_try", (link) => link.due],
  ["synced_at", (link) => link.synced_at],
];

/**
 * Write one cell. A text that a spreadsheet would take for a formula is marked as text, as OWASP advises:
 * https://owasp.org/www-community/attacks/CSV_Injection
 * @param {string | number | null} value
 */
function cell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Download all links that the filter names. */
async function download() {
  const lines = [COLUMNS.map(([name]) => name).join(",")];
  /** @type {string | null} */
  let next = null;
  do {
    /** @type {LinkPage} */
    const answer = await page(next, filter());
    for (const link of answer.links) lines.push(COLUMNS.map(([, of]) => cell(of(link))).join(","));
    next = answer.continuation;
    say(byId("links-said"), `Reading … ${counted(lines.length - 1, "link")}.`);
  } while (next !== null);
  // Spreadsheets read a file as UTF-8 only with a mark in front.
  const address = URL.createObjectURL(new Blob([`\ufeff${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
  build("a", { href: address, download: "links.csv" }).click();
  URL.revokeObjectURL(address);
  say(byId("links-said"), `${counted(lines.length - 1, "link")} in links.csv.`, "good");
}

/** @param {() => void} changed is called after something was done to links */
export function startLinks(changed) {
  afterChange = changed;
  const said = byId("links-said");
  const reasons = APART.filter((reason) => reason in REASONS);
  byId("filter-reason").append(
    ...reasons.map((reason) => build("option", { value: reason }, capitalized(inWords(reason)))),
  );
  onClick("more-links", "links-said", moreLinks);
  onClick("sync-all", "links-said", syncAll);
  onClick("download", "links-said", download);
  onClick("copy-to-ado", "links-said", () => copyShown("sentry"));
  onClick("copy-to-sentry", "links-said", () => copyShown("ado"));
  const filterAnew = () => telling(said, listLinks);
  for (const id of ["filter-stand", "filter-reason", "filter-project"]) byId(id).addEventListener("change", filterAnew);
  let pause = 0;
  byId("filter-text").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(filterAnew, TYPING_ENDS);
  });
  byId("filters").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    filterAnew();
  });
}
