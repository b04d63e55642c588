/* The document: loaded, shown as a form, and saved by what was changed. */

/** @import { Config, Field, Hooks, Loaded, Stored } from "./shapes.js" */
import { ask, organization, query, Refusal } from "./api.js";
import { addChosenCreation, drawCreations, errorsOfCreations, readCreations, startCreations } from "./creations.js";
import { answerTo, build, byId, inputById, isEmpty, newId, onClick, onSubmit, say } from "./dom.js";
import { check, checkedOf, clearErrors, mergePatch, showErrors } from "./fields.js";
import { addChosenProject, drawMappings, projectsOf, readMappings, startMappings } from "./mappings.js";
import { addPerson, drawPeople, errorsOfPeople, readPeople, startPeople } from "./people.js";
import { addReason, drawReasons, readReasons, startReasons } from "./reasons.js";
import { open } from "./tabs.js";

const TEXTS = ["ado_url", "ado_account_id", "ado_search_url", "sentry_url", "sentry_organization"];
// Keys that have a control of their own, whatever the app says of them.
const DRAWN = new Set([
  ...TEXTS,
  "issue_sync",
  "status_mapping",
  "done_categories",
  "people",
  "on_conflict",
  "done_when",
  "back_links",
  "sync_comments_reverse",
  "archive_reasons",
  "resolve_in",
  "create",
]);
/** @type {Record<string, string>} */
const LABELS = {
  ado_url: "Azure DevOps address",
  ado_account_id: "account id",
  ado_search_url: "search address",
  sentry_url: "Sentry address",
  sentry_organization: "Sentry organization",
  issue_sync: "sync",
  done_categories: "categories",
  status_mapping: "states",
  people: "people",
  on_conflict: "conflicts",
  done_when: "several links",
  back_links: "links on both sides",
  sync_comments_reverse: "comments to Sentry",
  archive_reasons: "reasons that archive",
  resolve_in: "release",
  create: "new work items",
};
// Somebody stored, made or removed the document meanwhile.
const CONFLICTS = new Set(["precondition-failed", "precondition-required", "unknown-organization"]);
/** @type {Loaded} */
const NEW_DOCUMENT = {
  config: {
    sentry_url: "https://sentry.io/",
    issue_sync: true,
    status_mapping: {},
    people: {},
    done_categories: [],
    on_conflict: "ado",
    done_when: "all",
    back_links: true,
    sync_comments_reverse: "off",
    archive_reasons: [],
    resolve_in: "now",
    create: {},
  },
  fields: [],
  etag: null,
};

let loaded = NEW_DOCUMENT;
/** What a save starts from: what was loaded, or what somebody else saved after that. @type {string | null} */
let etag = null;
/** @type {Loaded | null} */
let theirs = null;
/** @type {(loaded: Loaded) => void} */
let afterDraw = () => {};
let afterConnecting = async () => {};

export const isConnected = () => loaded.etag !== null;

/** @returns {Promise<Loaded>} */
async function fetchDocument() {
  try {
    const { content, etag: version } = await ask("GET", "/config");
    return { ...content, etag: version };
  } catch (refusal) {
    if (refusal instanceof Refusal && refusal.kind === "unknown-organization") return NEW_DOCUMENT;
    throw refusal;
  }
}

/** Load the document and show it. */
export async function loadDocument() {
  draw(await fetchDocument());
}

/**
 * Change some keys at once, beside whatever somebody is editing in the form.
 * @param {Record<string, unknown>} patch
 */
export async function changeDocument(patch) {
  try {
    const answer = await ask("PATCH", "/config", { body: patch });
    if (isDirty()) etag = answer.etag;
    else await loadDocument();
  } catch (refusal) {
    const errors = refusal instanceof Refusal ? Object.values(refusal.errors) : [];
    throw errors.length ? new Refusal(400, { detail: `nothing was saved: ${errors.join("; ")}` }) : refusal;
  }
}

/** @param {Loaded} document_ */
function draw(document_) {
  loaded = document_;
  etag = loaded.etag;
  const { config, fields } = loaded;
  const isNew = !isConnected();
  for (const name of TEXTS) inputById(name).value = String(config[name] ?? "");
  inputById("issue_sync").checked = config.issue_sync;
  byId("connection-title").textContent = isNew ? "Connect a new organization" : "Connection";
  byId("save").textContent = isNew ? "Connect" : "Save";
  for (const element of document.querySelectorAll(".once-connected")) element.toggleAttribute("hidden", isNew);
  for (const tab of document.querySelectorAll("[role=tab]"))
    tab.toggleAttribute("hidden", isNew && tab.id !== "tab-connection");
  if (isNew) open("connection");
  clearErrors();
  byId("conflict").hidden = true;
  drawFields(fields);
  drawMappings(loaded);
  drawCreations(loaded);
  drawReasons(config.archive_reasons);
  drawPeople(config.people);
  check("done_categories", config.done_categories);
  check("on_conflict", [config.on_conflict]);
  check("done_when", [config.done_when]);
  check("resolve_in", [config.resolve_in]);
  inputById("back_links").checked = config.back_links;
  inputById("sync_comments_reverse").value = config.sync_comments_reverse;
  markAvailable();
  showBar();
  afterDraw(loaded);
}

/* Keys that the app describes, and keys that only it knows. */

/** @param {Field[]} fields */
function drawFields(fields) {
  const described = fields.filter(({ type }) => type !== "choice_mapper");
  const names = new Set(described.map(({ name }) => name));
  byId("switches").replaceChildren(...described.map(drawField));
  const others = Object.keys(loaded.config).filter((name) => isConnected() && !names.has(name) && !DRAWN.has(name));
  byId("others").replaceChildren(
    ...others.map((name) =>
      drawField({
        name,
        type: typeof loaded.config[name] === "boolean" ? "boolean" : "json",
        label: name,
        help: "",
        disabled: false,
        disabled_reason: null,
        default: null,
      }),
    ),
  );
  byId("others-section").hidden = others.length === 0;
}

/**
 * Draw the control of one key: a box, or its JSON where it is more than that.
 * @param {Field} field
 */
function drawField(field) {
  const { name, label } = field;
  const [help, why] = [newId(), newId()];
  const value = loaded.config[name];
  const common = { id: name, "data-path": name, "aria-describedby": `${help} ${why}` };
  const texts = [
    build("p", { class: "help", id: help }, field.help),
    build("p", { class: "why", id: why, "data-why": name }),
  ];
  if (field.type === "boolean") {
    return build(
      "div",
      { class: "field switch" },
      build(
        "label",
        { class: "choice strong" },
        build("input", { type: "checkbox", ...common, checked: Boolean(value) }),
        label,
      ),
      ...texts,
    );
  }
  const json = JSON.stringify(value, null, 2);
  const control = build("textarea", { ...common, rows: "3", spellcheck: "false", "data-json": "" }, json);
  return build("div", { class: "field" }, build("label", { for: name }, label), control, ...texts);
}

/** Return every control that `drawField` made, by its key. */
const drawnControls = () =>
  /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll(":is(#switches, #others) :is(input, textarea)")]);

/** @param {HTMLInputElement} control */
function valueIn(control) {
  if (control.type === "checkbox") return control.checked;
  return "json" in control.dataset ? JSON.parse(control.value) : control.value;
}

/** Return an error for each text that is no JSON. */
function errorsOfTexts() {
  /** @type {Record<string, string>} */
  const errors = {};
  for (const control of drawnControls()) {
    try {
      valueIn(control);
    } catch {
      errors[control.id] = 'must be JSON, such as "text", 5, true, ["a", "b"] or {"key": "value"}';
    }
  }
  return errors;
}

/**
 * Return why a field is disabled; the reason ends when the person turns issue sync on.
 * @param {Field} field
 */
function reasonAgainst(field) {
  const isStill = loaded.config.issue_sync || !inputById("issue_sync").checked;
  return field.disabled && isStill ? (field.disabled_reason ?? "") : "";
}

function markAvailable() {
  for (const field of loaded.fields) {
    const reason = reasonAgainst(field);
    if (field.type === "choice_mapper") {
      byId("states-help").textContent = field.help;
      byId("states-why").textContent = reason;
      byId("mappings").hidden = byId("add-mapping").hidden = reason !== "";
      // They have nothing to do with the sync, and go as long as Azure DevOps shows its projects.
      const isBlind = projectsOf().length === 0;
      byId("creations-why").textContent = isBlind ? "Azure DevOps does not list its projects at this moment." : "";
      byId("creations").hidden = byId("add-creations").hidden = isBlind;
    } else {
      inputById(field.name).disabled = reason !== "";
      const why = [...document.querySelectorAll("[data-why]")].find(
        (each) => each.getAttribute("data-why") === field.name,
      );
      if (why) why.textContent = reason;
    }
  }
}

/**
 * Return the document that the form shows.
 * @returns {Config}
 */
function readDocument() {
  /** @type {Config} */
  const read = { ...loaded.config, issue_sync: inputById("issue_sync").checked };
  for (const name of TEXTS) read[name] = inputById(name).value.trim() || null;
  if (!isConnected()) return read;
  for (const control of drawnControls()) read[control.id] = valueIn(control);
  read.done_categories = checkedOf("done_categories");
  [read.on_conflict = read.on_conflict] = checkedOf("on_conflict");
  [read.done_when = read.done_when] = checkedOf("done_when");
  [read.resolve_in = read.resolve_in] = checkedOf("resolve_in");
  read.back_links = inputById("back_links").checked;
  read.sync_comments_reverse = inputById("sync_comments_reverse").value;
  read.archive_reasons = readReasons();
  read.create = readCreations();
  read.people = readPeople();
  read.status_mapping = readMappings();
  return read;
}

/** Return what differs from what was loaded, or null while a text cannot be read. */
function changes() {
  return isEmpty(errorsOfTexts()) ? mergePatch({ ...loaded.config }, readDocument()) : null;
}

/** Return an error for each row that would be lost, since another one has its key. */
const errorsOfRows = () => ({ ...errorsOfPeople(), ...errorsOfCreations() });

function isDirty() {
  const changed = changes();
  return changed === null || !isEmpty(changed) || !isEmpty(errorsOfRows());
}

/** Show the bar only while there is something to save. */
function showBar() {
  const isShown = !isConnected() || isDirty();
  byId("bar").hidden = !isShown;
  byId("preview").hidden = byId("discard").hidden = !isConnected();
}

function touch() {
  say(byId("document-said"), isConnected() && isDirty() ? "Not saved yet." : "");
  say(byId("saved-said"), "");
  showBar();
}

/* Saving, and conflicts with another person's save. */

/**
 * Return what a path of the document is called, with the project that it is about.
 * @param {string} path
 */
function labelOf(path) {
  const [name = path, id] = path.split(".");
  const label = LABELS[name] ?? loaded.fields.find((field) => field.name === name)?.label ?? name;
  const project = projectsOf().find((each) => each.id.toLowerCase() === id);
  return project ? `${label} of ${project.name}` : label;
}

/** @param {Stored} stored */
const warningsOf = ({ warnings = {} }) =>
  Object.entries(warnings).map(([key, message]) => `${LABELS[key] ?? key}: ${message}.`);

/**
 * Send what was changed; a new document is sent whole.
 * @param {Record<string, string>} choices
 * @returns {Promise<Stored>}
 */
async function send(choices) {
  const isNew = etag === null;
  const body = isNew ? withoutUnset(readDocument()) : changes();
  return (await ask(isNew ? "PUT" : "PATCH", `/config${query(choices)}`, { body, etag })).content;
}

/**
 * Leave out what is not set, so that the app takes its default.
 * @param {Config} config
 */
const withoutUnset = (config) =>
  Object.fromEntries(
    Object.entries(config).filter(
      ([name, value]) => value !== null && (isConnected() || TEXTS.includes(name) || name === "issue_sync"),
    ),
  );

/**
 * Try to store the document; errors are shown at their fields, and a conflict in its panel.
 * @param {Record<string, string>} choices
 * @returns {Promise<Stored | null>}
 */
async function attempt(choices) {
  clearErrors();
  byId("conflict").hidden = true;
  const own = { ...errorsOfTexts(), ...errorsOfRows() };
  if (!isEmpty(own)) {
    showErrors(own);
    return null;
  }
  try {
    return await send(choices);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (refusal.kind === "connection-changed") return leadElsewhere(refusal, choices);
    if (CONFLICTS.has(refusal.kind ?? "")) await showConflict();
    else if (isEmpty(refusal.errors)) throw refusal;
    else showErrors(refusal.errors);
    return null;
  }
}

/**
 * Ask what is to become of the links when the new addresses lead elsewhere.
 * @param {Refusal} refusal
 * @param {Record<string, string>} choices
 */
async function leadElsewhere(refusal, choices) {
  const question = `${refusal.message} Is it another place, or the same one under a new name?`;
  const links = await answerTo(
    question,
    ["keep", "The same place: keep the links"],
    ["drop", "Another place: drop the links"],
  );
  if (links) return attempt({ ...choices, links });
  say(byId("document-said"), "Nothing was saved.");
  return null;
}

async function save() {
  say(byId("document-said"), "Saving …");
  const stored = await attempt({});
  if (stored === null) return;
  const wasNew = etag === null;
  const changed = [...new Set((stored.changed ?? []).map(labelOf))];
  const warnings = warningsOf(stored);
  draw(await fetchDocument());
  const what = wasNew || changed.length === 0 ? "" : `: ${changed.join(", ")}`;
  // The bar is gone by now, so it is said above it.
  const said = [`${wasNew ? "Connected" : "Saved"}${what}.`, ...warnings].join(" ");
  say(byId("document-said"), "");
  say(byId("saved-said"), said, warnings.length ? "warn" : "good");
  byId("saved-said").focus();
  if (!wasNew) return;
  open("links");
  const subscribed = await subscribe();
  say(byId("saved-said"), `${said} ${subscribed.text}`, warnings.length || !subscribed.isWell ? "warn" : "good");
  await afterConnecting();
}

/** Have the subscriptions in Azure DevOps made now, and not by the next timer; say what came of it. */
async function subscribe() {
  try {
    /** @type {{ content: Hooks }} */
    const { content } = await ask("POST", "/hooks");
    if (content.problem === null) return { isWell: true, text: "The app has subscribed to changes in Azure DevOps." };
    return { isWell: false, text: `Subscriptions in Azure DevOps: ${content.problem.detail}.` };
  } catch (error) {
    return { isWell: false, text: `Subscriptions in Azure DevOps: ${error instanceof Error ? error.message : error}` };
  }
}

/** Ask the app what would change, without storing anything. */
async function preview() {
  say(byId("document-said"), "Checking …");
  const stored = await attempt({ dry_run: "1" });
  if (stored === null) return;
  const changed = (stored.changed ?? []).join(", ");
  const warnings = warningsOf(stored);
  say(
    byId("document-said"),
    [`Would change: ${changed || "nothing"}.`, ...warnings].join(" "),
    warnings.length ? "warn" : "",
  );
}

function discard() {
  draw(loaded);
  say(byId("document-said"), "");
  say(byId("saved-said"), "Your changes were discarded.");
  byId("saved-said").focus();
}

async function showConflict() {
  theirs = await fetchDocument();
  const changed = Object.keys(mergePatch({ ...loaded.config }, { ...theirs.config })).map(labelOf);
  byId("conflict-what").textContent =
    theirs.etag === null
      ? "They disconnected the organization. If you keep editing, your next save connects it again."
      : `They changed: ${changed.join(", ") || "nothing visible here"}. If you keep editing, your next save changes only what you changed.`;
  say(byId("document-said"), "Nothing was saved.", "bad");
  byId("conflict").hidden = false;
  byId("load-theirs").focus();
}

function loadTheirs() {
  if (theirs) draw(theirs);
  say(byId("document-said"), "");
  say(byId("saved-said"), "You now see their version.");
  byId("saved-said").focus();
}

function keepMine() {
  byId("conflict").hidden = true;
  etag = theirs?.etag ?? null;
  say(byId("document-said"), "You still see your version, not saved yet.");
  byId("save").focus();
}

/* Disconnecting. */

async function disconnect() {
  if (inputById("disconnect-word").value.trim() !== organization) {
    byId("disconnect-word").focus();
    return say(byId("disconnect-said"), `Type ${organization} first.`, "bad");
  }
  let gone;
  try {
    gone = (await ask("DELETE", "/config", { etag: loaded.etag })).content;
  } catch (refusal) {
    if (!(refusal instanceof Refusal) || refusal.kind !== "precondition-failed") throw refusal;
    const detail = "somebody else changed this document in the meantime; reload the page and review it first";
    throw new Refusal(412, { detail });
  }
  inputById("disconnect-word").value = "";
  say(byId("disconnect-said"), "");
  draw(NEW_DOCUMENT);
  const left = gone.warnings?.subscriptions;
  say(byId("saved-said"), left ? `Disconnected, but ${left}.` : "Disconnected.", left ? "warn" : "good");
  byId("ado_url").focus();
}

/**
 * @param {(loaded: Loaded) => void} drawn is told of each document that is shown
 * @param {() => Promise<void>} connected is called when the organization was connected
 */
export function startSettings(drawn, connected) {
  afterDraw = drawn;
  afterConnecting = connected;
  startMappings(touch);
  startCreations(touch);
  startReasons(touch);
  startPeople(touch);
  onSubmit("document", "document-said", save);
  onSubmit("disconnect", "disconnect-said", disconnect);
  onClick("preview", "document-said", preview);
  onClick("discard", "document-said", discard);
  onClick("add-project", "document-said", addChosenProject);
  onClick("add-creation", "document-said", addChosenCreation);
  onClick("add-reason", "document-said", addReason);
  onClick("add-person", "document-said", addPerson);
  onClick("load-theirs", "document-said", loadTheirs);
  onClick("keep-mine", "document-said", keepMine);
  byId("issue_sync").addEventListener("change", markAvailable);
  for (const event of ["input", "change"]) {
    byId("document").addEventListener(event, ({ target }) => {
      if (target !== byId("project") && target !== byId("creation-project")) touch();
    });
  }
  addEventListener("beforeunload", (event) => {
    if (isConnected() && isDirty()) event.preventDefault();
  });
}
