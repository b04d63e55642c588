/* The reasons for which a work item that is done archives its issue: a row for each. */

import { byId } from "./dom.js";
import { rowsIn } from "./rows.js";

let touch = () => {};
let rows = newRows();

function newRows() {
  return rowsIn({
    inside: byId("reasons"),
    noun: "reason",
    inputs: [{ "aria-label": "Reason", list: "usual-reasons" }],
    path: (_, place) => `archive_reasons[${place}]`,
    removed() {
      touch();
      byId("kinds-title").focus();
    },
  });
}

/** @param {string[]} known */
export function drawReasons(known) {
  rows = newRows();
  for (const reason of known) rows.add(reason);
}

export function addReason() {
  rows.add()[0]?.focus();
}

export const readReasons = () => rows.read().flat();

/** @param {() => void} touched */
export function startReasons(touched) {
  touch = touched;
}
