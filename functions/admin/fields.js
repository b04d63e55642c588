/* Errors at their fields, and parts of forms that several sections use. */

import { build, byId, capitalized, newId, say } from "./dom.js";
import { open } from "./tabs.js";

/** @param {Element} element */
const descriptionsOf = (element) => (element.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);

/**
 * @param {Element} element
 * @param {string[]} ids
 */
function describe(element, ...ids) {
  element.setAttribute("aria-describedby", ids.join(" "));
}

/** @param {Element} element */
const isControl = (element) => element.matches("input, select, textarea");

export function clearErrors() {
  for (const error of document.querySelectorAll("#document .error")) error.remove();
  for (const element of document.querySelectorAll("#document [data-wrong]")) {
    element.removeAttribute("data-wrong");
    element.removeAttribute("aria-invalid");
    describe(element, ...descriptionsOf(element).filter((id) => document.getElementById(id)));
  }
}

/**
 * Show each error at the closest field that its path names, then open its tab and focus the first.
 * @param {Record<string, string>} errors
 */
export function showErrors(errors) {
  const marked = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#document [data-path]"));
  const fields = new Map([...marked].map((element) => [element.dataset.path ?? "", element]));
  const unplaced = [];
  for (const [path, message] of Object.entries(errors)) {
    const element = fieldFor(path, fields);
    if (element) showError(meantIn(element, message), capitalized(message));
    else unplaced.push(`${path}: ${message}`);
  }
  const count = Object.keys(errors).length;
  const errorCount = count === 1 ? "one error" : `${count} errors`;
  say(byId("document-said"), [`Nothing was saved: correct ${errorCount}.`, ...unplaced].join(" "), "bad");
  const first = document.querySelector("#document [data-wrong]");
  const panel = first?.closest("[role=tabpanel]");
  if (panel) open(panel.id.replace("panel-", ""));
  const control = first && (isControl(first) ? first : first.querySelector("input, select, textarea"));
  if (control instanceof HTMLElement) control.focus();
}

/**
 * Return the field that a path names, or that its closest outer part names.
 * @param {string} path
 * @param {Map<string, HTMLElement>} fields
 */
function fieldFor(path, fields) {
  for (let rest = path; rest; rest = outerOf(rest)) {
    const found = fields.get(rest);
    if (found && !found.closest("[hidden]:not([role=tabpanel])")) return found;
  }
  return null;
}

/**
 * Return the text field of a row that an error is about, if it repeats what stands in it; else the row.
 * @param {HTMLElement} element
 * @param {string} message
 */
function meantIn(element, message) {
  const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (element.querySelectorAll(":scope > .row > input"));
  return [...inputs].find(({ value }) => value.trim() && message.includes(value.trim())) ?? element;
}

/** @param {string} path */
const outerOf = (path) => path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("["), 0));

/**
 * @param {HTMLElement} element
 * @param {string} message
 */
function showError(element, message) {
  const id = newId();
  const error = build("p", { class: "error", id }, message);
  element.dataset.wrong = "";
  describe(element, ...descriptionsOf(element), id);
  if (isControl(element)) {
    element.setAttribute("aria-invalid", "true");
    (element.closest(".row") ?? element).after(error);
  } else {
    const title = element.querySelector(":scope > :is(legend, summary, h2)");
    if (title) title.after(error);
    else element.append(error);
  }
  for (let outer = element.closest("details"); outer; outer = outer.parentElement?.closest("details") ?? null)
    outer.open = true;
}

/**
 * Return the choices of a group of boxes or buttons.
 * @param {string} name
 */
const inputsOf = (name) =>
  /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll(`input[name=${name}]`));

/** @param {string} name */
export const checkedOf = (name) => [...inputsOf(name)].filter((input) => input.checked).map((input) => input.value);

/**
 * @param {string} name
 * @param {string[]} values
 */
export function check(name, values) {
  for (const input of inputsOf(name)) input.checked = values.includes(input.value);
}

/**
 * Return what turns one JSON value into another, as a merge patch: https://www.rfc-editor.org/rfc/rfc7396
 * @param {Record<string, unknown>} before
 * @param {Record<string, unknown>} after
 * @returns {Record<string, unknown>}
 */
export function mergePatch(before, after) {
  /** @type {Record<string, unknown>} */
  const patch = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[key], after[key]];
    if (isObject(old) && isObject(now)) {
      const inner = mergePatch(old, now);
      if (Object.keys(inner).length) put(patch, key, inner);
    } else if (now === undefined ? old !== undefined : JSON.stringify(old) !== JSON.stringify(now)) {
      put(patch, key, now ?? null);
    }
  }
  return patch;
}

/**
 * Set a key by definition, since one named `__proto__` would otherwise set none.
 * @param {Record<string, unknown>} target
 * @param {string} key
 * @param {unknown} value
 */
function put(target, key, value) {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
