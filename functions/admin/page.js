/* The page as a whole: what is loaded first, and what is kept up to date. */

/** @import { Loaded } from "./shapes.js" */
import { connected, forgetKey, organization, pageOf, Refusal } from "./api.js";
import { build, byId, clock, inputById, onClick, say, show, telling } from "./dom.js";
import { listEvents, startEvents } from "./events.js";
import { startLinking } from "./linking.js";
import { listLinks, offerProjects, refreshLinks, startLinks } from "./links.js";
import { refreshOverview, startOverview } from "./overview.js";
import { isConnected, loadDocument, startSettings } from "./settings.js";
import { onOpen, open, openNamed, openTab, startTabs } from "./tabs.js";

const REFRESH_EVERY = 15_000; // milliseconds
let updatedAt = 0;
/** @type {Promise<void> | null} */
let refreshing = null;

/**
 * Bring all that is shown up to date, once at a time.
 * @param {boolean} isQuiet asks nobody for the key
 */
function refresh(isQuiet = false) {
  refreshing ??= (async () => {
    if (!isConnected()) return;
    await refreshOverview(isQuiet);
    await refreshLinks();
    if (openTab() === "events") await listEvents();
    updatedAt = Date.now();
    say(byId("updated"), "");
    tellAge();
  })().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

function tellAge() {
  const seconds = Math.round((Date.now() - updatedAt) / 1000);
  if (updatedAt && byId("updated").className === "")
    show(byId("updated"), seconds < 5 ? "updated just now" : `updated ${seconds} s ago`);
}

/** Refresh by itself while somebody can see it and is not in the middle of a question. */
async function keepFresh() {
  const isSeen = document.visibilityState === "visible" && document.querySelector("dialog[open]") === null;
  if (!isSeen || !isConnected() || Date.now() - updatedAt < REFRESH_EVERY) return tellAge();
  try {
    await refresh(true);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(byId("updated"), `Not updated since ${clock(new Date(updatedAt).toISOString())}: ${error.message}`, "bad");
    updatedAt = Math.max(updatedAt, Date.now() - REFRESH_EVERY + 1000);
  }
}

/** @param {Loaded} loaded */
function showNames({ config, fields, etag }) {
  const ado = String(config.ado_url ?? config.ado_account_id ?? "")
    .replace(/^https?:\/\//, "")
    .replace(/\/$/, "");
  byId("pair").textContent = etag === null ? "" : `${config.sentry_organization ?? organization} ⇄ ${ado}`;
  offerProjects(fields.find(({ name }) => name === "status_mapping")?.projects ?? []);
}

/** Offer the other organizations, if the key opens their list and there are any. */
async function offerOrganizations() {
  const slugs = (await connected()).map((each) => each.organization);
  const others = slugs.filter((slug) => slug !== organization);
  byId("chooser").hidden = others.length === 0;
  byId("organization").hidden = others.length > 0;
  byId("choice").replaceChildren(
    ...[organization, ...others]
      .sort()
      .map((slug) => build("option", { value: slug, selected: slug === organization }, slug)),
  );
}

async function refreshNow() {
  if (refreshing) await refreshing;
  await refresh();
}

startTabs();
startOverview(refreshNow);
startLinks(() => telling(byId("trouble-said"), () => refreshOverview()));
startLinking(async () => {
  await listLinks();
  await refreshOverview();
});
startEvents();
startSettings(showNames, async () => {
  await listLinks();
  await refreshNow();
});
onOpen((name) => {
  if (name === "events" && isConnected()) telling(byId("events-said"), listEvents);
});
onClick("refresh", "updated", async () => {
  await loadDocumentIfNone();
  await refreshNow();
});
onClick("forget-key", "saved-said", () => {
  forgetKey();
  history.replaceState(null, "", location.pathname);
  location.reload();
});
byId("choice").addEventListener("change", () => location.assign(pageOf(inputById("choice").value)));

byId("organization").textContent = organization;
byId("disconnect-name").textContent = organization;
document.title = `${organization}: ${document.title}`;

async function loadDocumentIfNone() {
  if (byId("loaded").hidden) await start();
}

async function start() {
  await loadDocument();
  byId("loaded").hidden = false;
  byId("loading").hidden = true;
  if (isConnected()) openNamed();
  else open("connection");
  await offerOrganizations();
  if (!isConnected()) return;
  await listLinks();
  await refresh();
}

await telling(byId("loading"), start);
setInterval(() => telling(byId("updated"), keepFresh), 1000);
document.addEventListener("visibilitychange", () => telling(byId("updated"), keepFresh));
