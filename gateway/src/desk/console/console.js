"use strict";
// The desk's page. Whatever a customer wrote is put on the page as text (textContent), never as markup.

const KEPT = "leadgate.token";
const MOST_NEWS = 50;
const needsToken = document.body.hasAttribute("data-needs-token");
const $ = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = String(text);
  if (className) made.className = className;
  return made;
}

async function ask(path) {
  const token = sessionStorage.getItem(KEPT);
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401) {
    sessionStorage.removeItem(KEPT);
    enter();
    throw new Error("a valid token is needed");
  }
  if (!answer.ok) throw new Error("the desk answers " + answer.status);
  return answer.json();
}

function enter() {
  $("entry").hidden = false;
  $("news").hidden = true;
  $("workspaces").replaceChildren();
  $("state").textContent = "a token is needed";
  $("token").focus();
}

function table(titles, rows) {
  const made = element("table");
  const head = made.appendChild(element("thead")).appendChild(element("tr"));
  for (const title of titles) head.appendChild(element("th", title));
  const body = made.appendChild(element("tbody"));
  for (const cells of rows) {
    const row = body.appendChild(element("tr"));
    for (const cell of cells) row.appendChild(element("td", cell));
  }
  return made;
}

const moment = (text) => (text ? new Date(text).toLocaleString() : "");

function leadRow(lead) {
  const contact = lead.contact;
  const who = contact.name || contact.phones[0] || contact.emails[0] || "unknown";
  const due = lead.contacted_at ? "contacted" : moment(lead.sla.due_at) + (lead.sla.breached_at ? " (missed)" : "");
  return [moment(lead.received_at), who, lead.channel, lead.stage, lead.owner || "in the queue", due];
}

function channelRow(channel) {
  const waiting = channel.waiting.leads;
  return [channel.id, channel.source, channel.responsible, waiting ? waiting + " since " + moment(channel.waiting.oldest_at) : "none",
    channel.proven ? "yes" : "nothing came yet"];
}

async function show(workspace) {
  const base = "/v1/workspaces/" + encodeURIComponent(workspace.id);
  const [channels, leads] = await Promise.all([ask(base + "/channels"), ask(base + "/leads?limit=20")]);
  const section = element("section");
  section.append(
    element("h2", workspace.name),
    element("h3", "Channels"),
    table(["Channel", "Source", "Responsible", "Waiting leads", "Proven"], channels.channels.map(channelRow)),
    element("h3", "Newest leads"),
    table(["Received", "Who", "Channel", "Stage", "Owner", "Due"], leads.leads.map(leadRow)),
  );
  return section;
}

let workspaces = [];
let redrawing = null;

async function draw() {
  workspaces = (await ask("/v1/workspaces")).workspaces;
  $("workspaces").replaceChildren(...(await Promise.all(workspaces.map(show))));
  $("state").textContent = "as of " + new Date().toLocaleTimeString();
}

function redraw() {
  if (redrawing) return;
  redrawing = setTimeout(() => {
    redrawing = null;
    draw().catch(failed);
  }, 1000);
}

function failed(error) {
  $("state").textContent = error.message;
}

function tell(workspace, event) {
  const lead = event.data && event.data.lead;
  const line = element("li");
  line.append(element("time", moment(event.time)), element("b", event.type), element("span", workspace.name + (lead ? " · " + lead.channel : "")));
  $("ticker").prepend(line);
  while ($("ticker").children.length > MOST_NEWS) $("ticker").lastChild.remove();
  redraw();
}

const TYPES = ["created", "touched", "assigned", "queued", "attempted", "contacted", "sla_warning", "sla_breached", "stage_changed", "closed", "corrected", "restored"].map((one) => "lead." + one);

function follow(workspace) {
  const path = "/v1/workspaces/" + encodeURIComponent(workspace.id) + "/events";
  if (needsToken) return poll(workspace, path, "newest");
  const source = new EventSource(path + "?after=newest");
  for (const type of TYPES) source.addEventListener(type, (event) => tell(workspace, JSON.parse(event.data)));
}

// An EventSource cannot carry a token, and a token does not belong in an address.
async function poll(workspace, path, after) {
  while (sessionStorage.getItem(KEPT)) {
    try {
      const page = await ask(path + "?wait=30s&limit=100&after=" + encodeURIComponent(after));
      after = page.next;
      for (const event of page.events) tell(workspace, event);
    } catch (error) {
      failed(error);
      await new Promise((done) => setTimeout(done, 5000));
    }
  }
}

async function begin() {
  $("entry").hidden = true;
  await draw();
  $("news").hidden = false;
  workspaces.forEach((workspace) => follow(workspace));
}

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEPT, $("token").value.trim());
  $("token").value = "";
  begin().catch(failed);
});

if (needsToken && !sessionStorage.getItem(KEPT)) enter();
else begin().catch(failed);
