/* The top of the page: what needs somebody, by its cause and with its cure; then how the sync does. */

/** @import { Door, Hooks, Link, Problem, Status, Subscription } from "./shapes.js" */
import { ask } from "./api.js";
import { ago, build, button, byId, capitalized, clock, closed, counted, inputById, onClick, say, show } from "./dom.js";
import { linksInNeed, showLinks, syncNow } from "./links.js";
import { changeDocument } from "./settings.js";
import { open } from "./tabs.js";
import { SERVICES, subscriptionInWords } from "./words.js";

const LINKS = /^(\d+) links?: /;
const ADDRESS = "organization-not-found";
// Problems that a look at the subscriptions may cure.
const HOOKS = new Set(["subscriptions", "deliveries-refused", "changes-untold"]);

// Problems that a change of the document cures.
const SETTINGS = new Set(["mapping", "people"]);

let refresh = async () => {};

/* Trouble. */

/**
 * What is known of a problem: the person whom it is about, and the links that it keeps from being in sync.
 * @typedef {{ problem: Problem, person: string, links: Link[] }} Trouble
 */

/**
 * Return the person whom a link's problem is about, if it is about one.
 * @param {Problem} problem
 * @param {Link} link
 */
const personOf = (problem, link) => (problem.side === "sentry" ? link.work_item.assignee : link.issue.assignee) ?? "";

/**
 * Gather which links each problem is about.
 * @param {Problem[]} problems
 * @param {Link[]} inNeed
 * @returns {Trouble[]}
 */
function gather(problems, inNeed) {
  return problems.map((problem) => {
    const links = LINKS.test(problem.detail) ? inNeed.filter((link) => link.reason === problem.kind) : [];
    if (problem.kind !== "assignee-not-found") return { problem, person: "", links };
    const about = links.filter((link) => problem.detail.includes(` ${personOf(problem, link)} `));
    return { problem, person: about[0] ? personOf(problem, about[0]) : "", links: about };
  });
}

/** @param {Problem} problem */
const titleOf = ({ kind, side, detail }) => {
  const what = detail.replace(LINKS, "");
  return kind === "assignee-not-found" && side
    ? what.replace("on the other side", `in ${SERVICES[side]}`)
    : capitalized(what);
};

/** @param {Trouble} trouble */
function circumstancesOf({ problem, links }) {
  const dues = links.flatMap(({ due }) => (due === null ? [] : [due])).sort();
  const many = Number(LINKS.exec(problem.detail)?.[1] ?? 0);
  return [
    ...(problem.since === null ? [] : [`since ${clock(problem.since)}`]),
    ...(many ? [counted(many, "link")] : []),
    ...(dues[0] === undefined ? [] : [`next try ${clock(dues[0])}`]),
  ].join(" · ");
}

/**
 * @typedef {object} Shown
 * @property {HTMLLIElement} element
 * @property {(trouble: Trouble) => void} update
 */

/** @type {Map<string, Shown>} */
const shown = new Map();

/**
 * Name a problem, whatever its numbers are at the moment.
 * @param {Trouble} trouble
 */
const keyOf = ({ problem, person }) =>
  `${problem.kind} ${problem.side} ${person || problem.detail.replace(/\d+/g, "")}`;

/** @param {Trouble[]} troubles */
function drawTroubles(troubles) {
  const keys = new Set(troubles.map(keyOf));
  for (const [key, { element }] of shown) {
    if (keys.has(key)) continue;
    if (element.contains(document.activeElement)) byId("trouble-title").focus();
    element.remove();
    shown.delete(key);
  }
  for (const trouble of troubles) {
    const key = keyOf(trouble);
    const line = shown.get(key) ?? drawTrouble(trouble);
    if (!shown.has(key)) byId("troubles").append(line.element);
    shown.set(key, line);
    line.update(trouble);
  }
  const many = troubles.length;
  show(
    byId("trouble-title"),
    many === 0 ? "Nothing needs you" : many === 1 ? "One thing needs you" : `${many} things need you`,
  );
  byId("trouble").className = many ? "ill" : "well";
}

/**
 * Draw one problem, with the buttons that cure it or lead to the cure.
 * @param {Trouble} first
 * @returns {Shown}
 */
function drawTrouble(first) {
  let trouble = first;
  const { problem, person } = first;
  const said = byId("trouble-said");
  const [title, circumstances, cure] = [build("b"), build("span", { class: "soft" }), build("p", { class: "help" })];
  const retry = button("Retry", said, () => retryAll(trouble));
  const isOfLinks = LINKS.test(problem.detail);
  const buttons = [];
  if (person) buttons.push(button("Map to …", said, () => mapPerson(trouble), { "aria-label": `Map to …: ${person}` }));
  if (isOfLinks)
    buttons.push(
      retry,
      button("Show links", said, () => showThem(trouble), { "aria-label": `Show links: ${titleOf(problem)}` }),
    );
  if (HOOKS.has(problem.kind) && problem.side === "ado")
    buttons.push(button("Repair hooks", said, () => repairHooks(said)));
  if (SETTINGS.has(problem.kind))
    buttons.push(
      button("Open settings", said, () => open("settings"), { "aria-label": `Open settings: ${titleOf(problem)}` }),
    );
  if (problem.kind === ADDRESS) buttons.push(button("Correct the address", said, () => correct(problem)));
  if (!isOfLinks) {
    const label = { "aria-label": `Test again: ${titleOf(problem)}` };
    buttons.push(button("Test again", said, () => testAgain(trouble), label));
  }
  const element = build(
    "li",
    {},
    build("span", { class: "mark", "aria-hidden": "true" }, "✕"),
    build("div", { class: "what" }, build("p", {}, title, " ", circumstances), cure),
    build("div", { class: "row" }, ...buttons),
  );
  return {
    element,
    update(now) {
      trouble = now;
      show(title, titleOf(now.problem));
      show(circumstances, circumstancesOf(now));
      show(cure, now.problem.cure);
      show(retry, `Retry ${now.links.length}`);
      retry.setAttribute("aria-label", `Retry ${now.links.length}: ${titleOf(now.problem)}`);
    },
  };
}

/** @param {Trouble} trouble */
async function retryAll({ links }) {
  let done = 0;
  let failed = "";
  for (const link of links) {
    say(byId("trouble-said"), `Trying ${done + 1} of ${counted(links.length, "link")} …`);
    try {
      await syncNow(link);
    } catch (error) {
      failed = error instanceof Error ? error.message : String(error);
    }
    done += 1;
  }
  const before = links.length;
  await refresh();
  const keys = new Set((await linksInNeed()).map((link) => `${link.issue_id}/${link.work_item_id}`));
  const still = links.filter((link) => keys.has(`${link.issue_id}/${link.work_item_id}`)).length;
  const result = still
    ? `${counted(still, "link")} of ${before} still in need of attention. ${failed}`
    : "none needs attention any more.";
  say(byId("trouble-said"), `Tried ${counted(before, "link")}: ${result}`, still ? "warn" : "good");
}

/** @param {Trouble} trouble */
async function mapPerson(trouble) {
  const { problem, person } = trouble;
  const isInSentry = problem.side === "sentry";
  byId("person-text").textContent = isInSentry
    ? `${person} is assigned in Azure DevOps, and nobody in Sentry has this address.`
    : `${person} is assigned in Sentry, and nobody in Azure DevOps has this address.`;
  byId("person-label").textContent = isInSentry ? "Their address in Sentry" : "Their address in Azure DevOps";
  inputById("person").value = "";
  if ((await closed("person-dialog")) !== "use") return;
  const other = inputById("person").value.trim();
  if (!other) return say(byId("trouble-said"), "Nothing was changed: no address was given.", "warn");
  const people = isInSentry ? { [person]: other } : { [other]: person };
  await changeDocument({ people });
  await retryAll(trouble);
}

/** @param {Trouble} trouble */
async function showThem({ problem, person }) {
  open("links");
  await showLinks({ stand: "attention", reason: problem.kind, text: person });
  byId("links-title").focus();
}

/**
 * Have the subscriptions in Azure DevOps made and repaired, or say what to do by hand.
 * @param {HTMLElement} said
 */
async function repairHooks(said) {
  say(said, "Looking at the subscriptions …");
  /** @type {{ content: Hooks }} */
  const { content } = await ask("POST", "/hooks");
  const done = `Made ${content.made ?? 0}, removed ${content.removed ?? 0}.`;
  const { problem } = content;
  showByHand(content);
  await refresh();
  say(
    said,
    problem ? `${done} ${capitalized(problem.detail)}.` : `${done} All subscriptions are in order.`,
    problem ? "warn" : "good",
  );
  if (problem && content.by_hand.length) open("connection");
}

/** @param {Hooks} hooks */
function showByHand({ by_hand: commands }) {
  byId("by-hand").hidden = commands.length === 0;
  byId("by-hand-commands").textContent = commands.join("\n\n");
}

/** @param {Problem} problem */
function correct(problem) {
  open("connection");
  byId(problem.side === "sentry" ? "sentry_organization" : "ado_url").focus();
}

/** @param {Trouble} trouble */
async function testAgain(trouble) {
  say(byId("trouble-said"), "Asking both services …");
  await ask("POST", "/reconcile", { body: {} });
  await refresh();
  const isStill = shown.has(keyOf(trouble));
  say(
    byId("trouble-said"),
    isStill ? "Tested again: nothing has changed." : "Tested again: that problem is over.",
    isStill ? "warn" : "good",
  );
}

/* How the sync does. */

/** @param {Door} door */
function traffic({ hours }) {
  const sum = (/** @type {"taken" | "nothing_to_do" | "not_linked" | "refused"} */ what) =>
    hours.reduce((total, hour) => total + hour[what], 0);
  const [taken, idle, notLinked, refused] = [sum("taken"), sum("nothing_to_do"), sum("not_linked"), sum("refused")];
  return `24 h: ${taken} in, ${taken - idle - notLinked} acted on, ${idle} nothing to do, ${notLinked} not linked, ${refused} refused`;
}

/** @param {number | null} seconds */
const lasted = (seconds) =>
  seconds === null ? "–" : seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;

/**
 * Say how the subscriptions are, those that are alike together.
 * @param {Subscription[]} subscriptions
 */
function hooksInShort(subscriptions) {
  /** @type {Map<string, string[]>} */
  const events = new Map();
  for (const { event, state } of subscriptions) {
    events.set(state, [...(events.get(state) ?? []), event.replace("workitem.", "")]);
  }
  return [...events].map(([state, names]) => `${names.join(", ")} ${subscriptionInWords(state)}`).join(" · ");
}

/**
 * Return the subscriptions as they are known by now: a problem may have been found after the last look at all of them.
 * @param {Status} status
 * @returns {Subscription[]}
 */
function knownSubscriptions({ ado, problems }) {
  const found = problems.filter(({ kind }) => kind === "subscriptions").map(({ detail }) => detail);
  return ado.subscriptions.map((each) => {
    const isStale = each.state === "enabled" && found.some((detail) => detail.includes(`${each.event}: `));
    return isStale ? { ...each, state: "not-in-order", since: null } : each;
  });
}

/** @param {Status} status */
function drawFacts(status) {
  const { ado, sentry, reconciler, delay, links, version } = status;
  const subscriptions = knownSubscriptions(status);
  show(byId("from-ado"), `last event ${ago(ado.last_event)} · ${hooksInShort(subscriptions)}`);
  show(byId("from-ado-day"), traffic(ado));
  show(byId("from-sentry"), `last event ${ago(sentry.last_event)}`);
  show(byId("from-sentry-day"), traffic(sentry));
  const untold = `changes no hook had told in 24 h: ${reconciler.untold}${reconciler.untold ? " (look at your hooks)" : ""}`;
  show(byId("reconciler"), `ran ${clock(reconciler.last_run)}, next ${clock(reconciler.next_run)}`);
  show(byId("reconciler-untold"), untold);
  show(
    byId("delay"),
    delay.median === null
      ? "nothing was carried over yet"
      : `median ${lasted(delay.median)}, 95 % within ${lasted(delay.p95)}, longest ${lasted(delay.longest)}`,
  );
  show(byId("count-total"), links.total.toLocaleString("en"));
  for (const name of /** @type {const} */ (["agree", "apart", "pending", "attention"])) {
    const words = { agree: "agree", apart: "left apart", pending: "pending", attention: "attention" };
    show(byId(`count-${name}`), `${words[name]} ${links[name].toLocaleString("en")}`);
  }
  show(byId("version"), version);
  drawSubscriptions(subscriptions);
}

/** @param {Subscription[]} subscriptions */
function drawSubscriptions(subscriptions) {
  const lines = subscriptions.map(({ event, state, since }) =>
    build(
      "li",
      {},
      build("code", {}, event),
      ` ${subscriptionInWords(state)}${since ? `, since ${clock(since)}` : ""}`,
    ),
  );
  byId("subscriptions").replaceChildren(...lines);
}

/**
 * Ask how the organization does, and show it.
 * @param {boolean} isQuiet asks nobody for the key
 */
export async function refreshOverview(isQuiet = false) {
  /** @type {{ content: Status }} */
  const { content } = await ask("GET", "/status", { isQuiet });
  const isAboutLinks = content.problems.some(({ detail }) => LINKS.test(detail));
  drawTroubles(gather(content.problems, isAboutLinks ? await linksInNeed() : []));
  drawFacts(content);
}

/** @param {() => Promise<void>} refreshAll */
export function startOverview(refreshAll) {
  refresh = refreshAll;
  for (const name of ["agree", "apart", "pending", "attention"]) {
    byId(`count-${name}`).addEventListener("click", async () => {
      open("links");
      await showLinks({ stand: name });
      byId("links-title").focus();
    });
  }
  onClick("repair-hooks", "hooks-said", () => repairHooks(byId("hooks-said")));
}
