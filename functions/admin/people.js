/* People whose two addresses differ: a row for each. */

import { byId } from "./dom.js";
import { rowsIn } from "./rows.js";

let touch = () => {};
let rows = newRows();

function newRows() {
  return rowsIn({
    inside: byId("people"),
    noun: "person",
    inputs: ["Azure DevOps address", "Sentry address"].map((label) => ({ "aria-label": label, inputmode: "email" })),
    path: (ado) => `people.${ado}`,
    removed() {
      touch();
      byId("people-title").focus();
    },
  });
}

/** @param {Record<string, string>} known */
export function drawPeople(known) {
  rows = newRows();
  for (const [ado, sentry] of Object.entries(known)) rows.add(ado, sentry);
}

export function addPerson() {
  rows.add()[0]?.focus();
}

export const readPeople = () => Object.fromEntries(rows.read());

/** Return an error for each repeated address. */
export const errorsOfPeople = () => rows.repeated("names an Azure DevOps person a second time");

/** @param {() => void} touched */
export function startPeople(touched) {
  touch = touched;
}
