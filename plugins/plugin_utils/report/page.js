"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 100;
  const SEVERITIES = ["high", "medium", "low"];
  const place = document.getElementById("hosts");
  const open = new Set(data.open);
  const key = (pair) => pair[0] + "," + pair[1];
  const news = new Set(data.news.map(key)), mended = new Set(data.mended.map(key));
  const order = Object.keys(data.statuses);
  const worst = data.hosts.map((_name, host) => host).sort((one, other) => rank(one) - rank(other) || one - other);
  let details = null, rows = [], columns = [], printing = false, last = null;

  // Elements are made and texts are set, never parsed: what comes from hosts stays text.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function rank(host) { return order.indexOf(data.status[host]) * 1000 - [...data.matrix[host]].filter((letter) => open.has(letter)).length; }

  const wanted = () => new URLSearchParams(location.hash.slice(1));

  function set(name, value) {
    const now = wanted();
    if (value) now.set(name, value); else now.delete(name);
    if (name !== "page") now.delete("page");
    now.delete("hosts");  // where the link at the top leads
    history.replaceState(null, "", "#" + now);
    show();
  }

  function matches(letter, status) {
    return !status || (status === "open" ? open.has(letter) : data.statuses[letter] && data.statuses[letter][0] === status);
  }

  function filter() {
    const now = wanted();
    const status = now.get("status"), severity = now.get("severity"), group = now.get("group"), control = now.get("control");
    const text = (now.get("text") || "").toLowerCase();
    columns = data.controls.map((_control, index) => index).filter((index) =>
      (!control || data.controls[index][0] === control) && (!severity || data.controls[index][2] === severity));
    const named = columns.filter((index) => data.controls[index].slice(0, 2).join(" ").toLowerCase().includes(text));
    rows = worst.filter((host) => {
      if (group && !data.member[host].some((one) => data.groups[one] === group)) return false;
      const looked = text && !data.hosts[host].toLowerCase().includes(text) && !data.reason[host].toLowerCase().includes(text) ? named : columns;
      if (!looked.length && (text || control || severity)) return false;
      if (!status) return true;
      if (!control && !severity && looked === columns && matches(data.status[host], status)) return true;
      return looked.some((index) => matches(data.matrix[host][index], status));
    });
    if (text && named.length && !data.hosts.some((name) => name.toLowerCase().includes(text))) columns = named;
  }

  function select(name, title, options) {
    const field = make("select", { id: "filter-" + name, onchange: (event) => set(name, event.target.value) },
      make("option", { value: "" }, "all"), ...options.map(([value, word]) => make("option", { value }, word)));
    return make("label", { for: "filter-" + name }, title, field);
  }

  function frame() {
    const statuses = Object.values(data.statuses);
    const form = make("form", { role: "search", "aria-label": "Filter the hosts", onsubmit: (event) => event.preventDefault() },
      make("label", { for: "filter-text" }, "Host or control", make("input", { id: "filter-text", type: "search", oninput: (event) => set("text", event.target.value) })),
      select("status", "Status", [["open", "anything open"], ...statuses.map(([name, , word]) => [name, word])]),
      select("severity", "Severity", SEVERITIES.map((name) => [name, name])),
      data.groups.length ? select("group", "Group", data.groups.map((name) => [name, name])) : null,
      select("control", "Control", data.controls.map((control) => [control[0], control[0]])),
      make("button", { type: "button", onclick: () => { history.replaceState(null, "", "#"); show(); } }, "Show all"));
    const legend = make("p", { class: "legend" });
    for (const [name, symbol, word] of statuses) legend.append(make("span", { class: "s " + name }, symbol + " " + word), " ");
    place.append(form, make("p", { id: "count", "aria-live": "polite" }), legend,
      make("p", { class: "legend keys" }, "Press a cell for its reason, evidence and change; arrow keys move, Enter opens, Escape closes."),
      make("div", { class: "wide matrix", id: "matrix" }), make("div", { class: "pages" }));
    document.body.append(make("dialog", { id: "dialog", "aria-labelledby": "dialog-title", onclose: () => { if (last && last.isConnected) last.focus(); } }));
    document.getElementById("plain").remove();
  }

  function show() {
    filter();
    const now = wanted();
    for (const name of ["text", "status", "severity", "group", "control"]) {
      const field = document.getElementById("filter-" + name);
      if (field && field !== document.activeElement) field.value = now.get(name) || "";
    }
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    const page = Math.min(pages, Math.max(1, parseInt(now.get("page"), 10) || 1));
    const shown = printing ? rows : rows.slice((page - 1) * PAGE, page * PAGE);
    const head = make("tr", null, make("th", { scope: "col" }, "Host"));
    for (const index of columns) {
      const [id, title] = data.controls[index];
      // On paper the head stands on every page again, which browsers do for text and not for buttons.
      head.append(make("th", { scope: "col" }, printing ? id : make("button", { type: "button", title, onclick: () => set("control", wanted().get("control") === id ? "" : id) }, id)));
    }
    const body = make("tbody");
    for (const host of shown) {
      const [status, symbol, word] = data.statuses[data.status[host]];
      const row = make("tr", null, make("th", { scope: "row" }, make("button", { type: "button", "data-host": host, "data-control": -1, tabindex: -1, "aria-label": data.hosts[host] + ", " + word },
        make("span", { class: "s " + status, "aria-hidden": "true" }, symbol), " " + data.hosts[host])));
      for (const index of columns) {
        const found = data.statuses[data.matrix[host][index]];
        if (!found) { row.append(make("td", { "aria-label": "does not have this control" })); continue; }
        const pair = host + "," + index, added = news.has(pair) ? " news" : mended.has(pair) ? " mended" : "";
        const label = data.hosts[host] + ", " + data.controls[index][0] + ": " + found[2] + (added && (news.has(pair) ? ", newly failing" : ", mended"));
        row.append(make("td", { class: found[0] + added }, make("button", { type: "button", "data-host": host, "data-control": index, tabindex: -1, "aria-label": label, title: label }, found[1])));
      }
      body.append(row);
    }
    const table = make("table", null, make("caption", { hidden: "" }, "Hosts and controls"), make("thead", null, head), body);
    document.getElementById("matrix").replaceChildren(table);
    const first = table.querySelector("tbody button");
    if (first) first.tabIndex = 0;
    document.getElementById("count").textContent = rows.length + " of " + data.hosts.length + " hosts, " + columns.length + " of " + data.controls.length + " controls";
    const bar = place.querySelector(".pages");
    bar.replaceChildren(...(pages === 1 ? [] : [
      make("button", { type: "button", disabled: page === 1 ? "" : null, onclick: () => set("page", String(page - 1)) }, "Previous"),
      make("span", null, "Page " + page + " of " + pages),
      make("button", { type: "button", disabled: page === pages ? "" : null, onclick: () => set("page", String(page + 1)) }, "Next")]));
  }

  function move(event) {
    const button = event.target.closest("tbody button");
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!button || !step) return;
    const table = button.closest("table").tBodies[0].rows;
    let line = button.closest("tr").sectionRowIndex + step[0], at = button.closest("th, td").cellIndex + step[1];
    while (table[line] && table[line].cells[at]) {
      const next = table[line].cells[at].querySelector("button");
      if (next) { button.tabIndex = -1; next.tabIndex = 0; next.focus(); break; }
      line += step[0]; at += step[1];
    }
    event.preventDefault();
  }

  async function load() {
    if (details) return details;
    const packed = JSON.parse(document.getElementById("details").textContent).gzip;
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    details = JSON.parse(await new Response(stream).text());
    return details;
  }

  function copied(text) {
    const button = make("button", { type: "button" }, "Copy");
    const pre = make("pre", null, text);
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(pre); button.textContent = "Selected; copy it with the keyboard"; }
    });
    return make("div", null, pre, button);
  }

  const plain = (value) => value === null || value === undefined ? "(none)" : typeof value === "string" ? value : JSON.stringify(value);

  function table(heads, lines) {
    return make("div", { class: "wide" }, make("table", null, make("thead", null, make("tr", null, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", null, ...lines.map((cells) => make("tr", null, ...cells.map((cell) => make("td", null, plain(cell))))))));
  }

  function deciders(value, found = []) {
    if (Array.isArray(value)) value.forEach((item) => deciders(item, found));
    else if (value && typeof value === "object") {
      if (Array.isArray(value.decided_by)) value.decided_by.forEach((rule) => found.push([value, rule]));
      Object.values(value).forEach((item) => deciders(item, found));
    }
    return found;
  }

  function finding(host, index) {
    const [id, title, severity, rationale, remedy] = data.controls[index];
    const [status, symbol, word] = data.statuses[data.matrix[host][index]];
    const text = (column) => details.texts[details[column][index][host]];
    const read = (column) => { const packed = text(column); return packed ? JSON.parse(packed) : null; };
    const parts = [make("h3", null, title), make("p", null, make("span", { class: "s " + status }, symbol + " " + word), " ", make("span", { class: "severity " + severity }, severity), " ", make("code", null, id), " found " + text("times")), make("p", null, text("reasons"))];
    const waiver = read("waivers"), changes = read("changes"), evidence = read("evidence");
    if (waiver) parts.push(make("p", null, (waiver.expired ? "The exception has ended: " : "Waived, else it " + (waiver.status === "fail" ? "fails" : "is unknown") + ": ") + waiver.reason + " (" + waiver.owner + ", last day " + waiver.expires + (waiver.ticket ? ", " + waiver.ticket : "") + ")"));
    const rules = deciders(evidence);
    if (rules.length) parts.push(make("h3", null, "What decides"), table(["Program", "Profile", "Outcome", "Rule", "Store", "Why"],
      rules.map(([traffic, rule]) => [traffic.program, traffic.profile, traffic.outcome, rule.name ? rule.name + " (" + rule.rule + ")" : "no rule", rule.store, rule.reason])));
    if (changes) {
      parts.push(make("h3", null, status === "fixed" ? "What was changed" : "The exact change"));
      for (const change of changes) {
        const names = Object.keys(change.after).filter((name) => plain(change.before[name]) !== plain(change.after[name]));
        parts.push(make("p", null, change.subject), table(["", "Before", "After"], names.map((name) => [name, change.before[name], change.after[name]])));
      }
    }
    if (rationale) parts.push(make("p", null, make("b", null, "Why it matters: "), rationale));
    if (remedy && open.has(data.matrix[host][index])) parts.push(make("p", null, make("b", null, "What to do:")), copied(remedy));
    if (evidence) parts.push(make("details", null, make("summary", null, "Evidence"), make("pre", null, JSON.stringify(evidence, null, 2))));
    else if (data.left_out) parts.push(make("p", { class: "legend" }, "The evidence stands in report.json; with it this page would be too large."));
    return parts;
  }

  async function tell(host, index) {
    const dialog = document.getElementById("dialog");
    const close = make("button", { type: "button", onclick: () => dialog.close() }, "Close");
    dialog.replaceChildren(make("div", { class: "top" }, make("h2", { id: "dialog-title" }, data.hosts[host]), close));
    dialog.showModal();
    try { await load(); } catch (error) {
      dialog.append(make("p", null, "This browser cannot unpack the details (" + error.message + "); they stand in report.json."));
      return;
    }
    const [status, symbol, word] = data.statuses[data.status[host]];
    if (index >= 0) { dialog.append(...finding(host, index)); return; }
    dialog.append(make("p", null, make("span", { class: "s " + status }, symbol + " " + word), " " + data.member[host].map((one) => data.groups[one]).join(", ")));
    if (data.reason[host]) dialog.append(make("p", null, data.reason[host]));
    data.controls.forEach((_control, at) => {
      // A host that was not judged has its own reason at every control.
      const told = data.reason[host] && details.texts[details.reasons[at][host]] === data.reason[host];
      if (open.has(data.matrix[host][at]) && !told) dialog.append(...finding(host, at), make("hr"));
    });
  }

  frame();
  const matrix = document.getElementById("matrix");
  matrix.addEventListener("keydown", move);
  matrix.addEventListener("click", (event) => {
    const button = event.target.closest("tbody button");
    if (button) { last = button; tell(Number(button.dataset.host), Number(button.dataset.control)); }
  });
  addEventListener("hashchange", () => { show(); if (wanted().get("control")) place.scrollIntoView(); });
  addEventListener("beforeprint", () => { printing = true; show(); });
  addEventListener("afterprint", () => { printing = false; show(); });
  show();
})();
