/* What arrived and what became of it; and why something happened to an issue or a work item, or why nothing did. */

/** @import { Event } from "./shapes.js" */
import { ask, query, Refusal } from "./api.js";
import { build, byId, inputById, onClick, onSubmit, say, timeOf } from "./dom.js";
import { explain } from "./links.js";
import { describeEvent, isBad, SERVICES } from "./words.js";

const NUMBER = /^\d+$/;
const WORK_ITEM = /^(?:AB)?#\d+$|\/_workitems\//i;

/** @type {string | null} */
let next = null;

/** @param {Event} event */
function drawEvent(event) {
  const about = [event.issue_id && `issue ${event.issue_id}`, event.work_item_id && `#${event.work_item_id}`].filter(
    Boolean,
  );
  const from = event.side ? `${SERVICES[event.side]}, ` : "";
  const took = event.took === null ? "" : `, ${event.took.toFixed(1)} s`;
  return build(
    "li",
    {},
    timeOf(event.at),
    build("span", { class: "soft" }, `${from}${event.kind}`),
    build("span", {}, about.join(" ⇄ ")),
    build("span", { class: isBad(event) ? "warn" : "" }, describeEvent(event)),
    build("span", { class: "soft" }, event.told_by ? `told by the ${event.told_by}${took}` : ""),
  );
}

/** Show the newest events; as many as were shown before, so that nobody loses their place. */
export async function listEvents() {
  const enough = byId("events").childElementCount;
  /** @type {Event[]} */
  const events = [];
  next = null;
  do {
    const { content } = await ask("GET", `/events${query({ continuation: next })}`, { isQuiet: true });
    events.push(...content.events);
    next = content.continuation;
  } while (next !== null && events.length < enough);
  byId("events").replaceChildren(...events.map(drawEvent));
  showCount();
}

function showCount() {
  byId("more-events").hidden = next === null;
  const some = "Deliveries without news are counted above, and not listed.";
  const text = byId("events").childElementCount ? some : `Nothing has happened in seven days. ${some}`;
  if (byId("events-said").textContent !== text) say(byId("events-said"), text);
}

async function older() {
  const { content } = await ask("GET", `/events${query({ continuation: next })}`);
  byId("events").append(...content.events.map(drawEvent));
  next = content.continuation;
  showCount();
}

/** Explain what was asked for: a bare number is a work item's, or else an issue's. */
async function why() {
  const wanted = inputById("why").value.trim();
  byId("explanation").replaceChildren();
  if (!wanted) return say(byId("why-said"), "Name an issue or a work item.", "bad");
  say(byId("why-said"), "Looking …");
  const list = byId("explanation");
  try {
    await explain(
      list,
      WORK_ITEM.test(wanted) || NUMBER.test(wanted) ? { work_item_id: wanted } : { issue_id: wanted },
    );
  } catch (refusal) {
    if (!(refusal instanceof Refusal) || refusal.status !== 404 || !NUMBER.test(wanted)) throw refusal;
    await explain(list, { issue_id: wanted });
  }
  say(byId("why-said"), "");
}

export function startEvents() {
  onClick("more-events", "events-said", older);
  onSubmit("why-form", "why-said", why);
}
