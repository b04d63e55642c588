/* People whose two addresses differ: a row for each. */

import { build, byId } from "./dom.js";

/**
 * @typedef {object} Person
 * @property {HTMLElement} row
 * @property {HTMLInputElement} ado
 * @property {HTMLInputElement} sentry
 */

/** @type {Person[]} */
let people = [];
let touch = () => {};

/** @param {Record<string, string>} known */
export function drawPeople(known) {
  people = [];
  byId("people").replaceChildren();
  for (const [ado, sentry] of Object.entries(known)) addPerson(ado, sentry);
}

export function addPerson(ado = "", sentry = "") {
  const input = (/** @type {string} */ value, /** @type {string} */ label) =>
    build("input", {
      type: "text",
      inputmode: "email",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": label,
      placeholder: label,
      value,
    });
  const [adoInput, sentryInput] = [input(ado, "Azure DevOps address"), input(sentry, "Sentry address")];
  const remove = () => {
    entry.row.remove();
    people = people.filter((each) => each !== entry);
    touch();
    byId("people-title").focus();
  };
  const row = build(
    "div",
    {},
    build(
      "div",
      { class: "row" },
      adoInput,
      sentryInput,
      build("button", { type: "button", class: "small", "aria-label": "Remove person", click: remove }, "Remove"),
    ),
  );
  const entry = { row, ado: adoInput, sentry: sentryInput };
  people.push(entry);
  byId("people").append(row);
  return entry;
}

/** Return the rows that are not empty, each marked with the path that an error would name. */
function filled() {
  const rows = people.filter(({ ado, sentry }) => ado.value.trim() || sentry.value.trim());
  for (const { row, ado } of rows) row.dataset.path = `people.${ado.value.trim()}`;
  return rows;
}

export const readPeople = () =>
  Object.fromEntries(filled().map(({ ado, sentry }) => [ado.value.trim(), sentry.value.trim()]));

/** Return an error for each repeated address: two equal keys of the document would lose the first row. */
export function errorsOfPeople() {
  const seen = new Set();
  const repeated = filled().filter(({ ado: { value } }) => {
    const address = value.trim().toLowerCase();
    return seen.size === seen.add(address).size;
  });
  return Object.fromEntries(
    repeated.map(({ row }) => [row.dataset.path ?? "", "names an Azure DevOps person a second time"]),
  );
}

/** @param {() => void} touched */
export function startPeople(touched) {
  touch = touched;
}
