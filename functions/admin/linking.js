/* Linking by hand: an issue, and a work item that is found while one types. */

import { ask } from "./api.js";
import { build, byId, inputById, newId, onSubmit, say } from "./dom.js";
import { checkedOf } from "./fields.js";

const SEARCH_AFTER = 250; // milliseconds without a keystroke

/** @type {string | null} */
let chosen = null;
let pause = 0;
let searching = new AbortController();
let afterLink = async () => {};

const options = () => /** @type {HTMLElement[]} */ ([...byId("found").children]);
const active = () => options().findIndex((option) => option.getAttribute("aria-selected") === "true");

function closeFound() {
  byId("found").hidden = true;
  byId("found").replaceChildren();
  byId("work-item").setAttribute("aria-expanded", "false");
  byId("work-item").removeAttribute("aria-activedescendant");
}

function cancelSearch() {
  clearTimeout(pause);
  searching.abort();
  closeFound();
}

async function search() {
  const wanted = inputById("work-item").value.trim();
  if (!wanted) return;
  searching = new AbortController();
  try {
    const path = `/search?field=externalIssue&limit=20&query=${encodeURIComponent(wanted)}`;
    const { content } = await ask("GET", path, { signal: searching.signal });
    byId("found").replaceChildren(...content.map(drawHit));
    byId("found").hidden = content.length === 0;
    byId("work-item").setAttribute("aria-expanded", String(content.length > 0));
    say(byId("link-said"), content.length === 0 ? "No work items found." : `${content.length} found.`);
  } catch (error) {
    if (error instanceof Error && error.name !== "AbortError") say(byId("link-said"), error.message, "bad");
  }
}

/** @param {{ value: string, label: string }} hit */
function drawHit(hit) {
  return build(
    "li",
    {
      role: "option",
      id: newId(),
      "aria-selected": "false",
      "data-value": hit.value,
      click: () => choose(hit.value, hit.label),
    },
    hit.label,
  );
}

/**
 * @param {string} value
 * @param {string} label
 */
function choose(value, label) {
  chosen = value;
  inputById("work-item").value = label;
  cancelSearch();
  say(byId("link-said"), "");
}

/** @param {HTMLElement | undefined} option */
function moveTo(option) {
  if (!option) return;
  for (const each of options()) each.setAttribute("aria-selected", String(each === option));
  byId("work-item").setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

/** @param {KeyboardEvent} event */
function steer(event) {
  const all = options();
  const at = active();
  const current = all[at];
  if (event.key === "Escape") cancelSearch();
  else if (event.key === "ArrowDown" && all.length) moveTo(all[(at + 1) % all.length]);
  else if (event.key === "ArrowUp" && all.length) moveTo(all.at(at < 0 ? -1 : at - 1));
  else if (event.key === "Enter" && current) choose(current.dataset.value ?? "", current.textContent ?? "");
  else return;
  event.preventDefault();
}

async function link() {
  const issue = inputById("issue").value.trim();
  // A number, `#31`, `AB#31` or the address of a page; the app reads all of them.
  const typed = inputById("work-item").value.trim();
  const workItem = chosen ?? (/^(?:AB)?#?\d+$|^https?:/i.test(typed) ? typed : "");
  if (!issue) return missing("issue", "Name the Sentry issue.");
  if (!workItem) return missing("work-item", "Choose a work item from the list or type its number.");
  cancelSearch();
  say(byId("link-said"), "Linking …");
  const [initial] = checkedOf("initial");
  const { content } = await ask("POST", "/links", {
    body: { issue_id: issue, work_item_id: workItem, ...(initial && { initial }) },
  });
  /** @type {HTMLFormElement} */ (byId("link")).reset();
  chosen = null;
  say(byId("link-said"), `Linked issue ${content.issue_id} and work item ${content.work_item_id}.`, "good");
  byId("issue").focus();
  await afterLink();
}

/**
 * @param {string} id
 * @param {string} text
 */
function missing(id, text) {
  say(byId("link-said"), text, "bad");
  byId(id).focus();
}

/** @param {() => Promise<void>} linked is called after a link was made */
export function startLinking(linked) {
  afterLink = linked;
  onSubmit("link", "link-said", link);
  byId("work-item").addEventListener("keydown", steer);
  byId("work-item").addEventListener("blur", cancelSearch);
  byId("work-item").addEventListener("input", () => {
    chosen = null;
    cancelSearch();
    pause = setTimeout(search, SEARCH_AFTER);
  });
  // A press on the list must not move the focus away from the field, because that closes the list.
  byId("found").addEventListener("mousedown", (event) => event.preventDefault());
}
