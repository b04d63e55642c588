/* The tabs: one is in the order of focus, the arrow keys move between them, and the address names the open one. */

import { byId } from "./dom.js";

const tabs = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[role=tab]")]);
/** @param {Element} tab */
const nameOfTab = (tab) => tab.id.replace("tab-", "");

/** @type {((name: string) => void)[]} */
const listeners = [];

/**
 * Hear which tab is opened.
 * @param {(name: string) => void} listener
 */
export function onOpen(listener) {
  listeners.push(listener);
}

export const openTab = () =>
  tabs()
    .find((tab) => tab.getAttribute("aria-selected") === "true")
    ?.id.replace("tab-", "") ?? "";

/**
 * Open a tab; its name goes into the address, so that it can be bookmarked and survives a reload.
 * @param {string} name
 */
export function open(name) {
  const was = openTab();
  for (const tab of tabs()) {
    const isOpen = nameOfTab(tab) === name;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.tabIndex = isOpen ? 0 : -1;
    byId(`panel-${nameOfTab(tab)}`).hidden = !isOpen;
  }
  if (location.hash !== `#${name}`) history.replaceState(null, "", `#${name}`);
  if (was !== name) for (const listener of listeners) listener(name);
}

/** @param {KeyboardEvent} event */
function steer(event) {
  const all = tabs().filter((tab) => !tab.hidden);
  const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
  const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 };
  if (!(event.key in steps)) return;
  const to = all.at(steps[/** @type {keyof typeof steps} */ (event.key)] % all.length);
  if (to) {
    open(nameOfTab(to));
    to.focus();
  }
  event.preventDefault();
}

/** Open the tab that the address names, or the first. */
export function openNamed() {
  const named = location.hash.slice(1);
  open(tabs().some((tab) => nameOfTab(tab) === named) ? named : "links");
}

export function startTabs() {
  byId("tabs").addEventListener("keydown", steer);
  for (const tab of tabs()) tab.addEventListener("click", () => open(nameOfTab(tab)));
  addEventListener("hashchange", openNamed);
}
