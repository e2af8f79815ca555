"use strict";
(() => {
  const PAGE_SIZE = 100;
  const SEVERITIES = ["high", "medium", "low"];
  const FILTERS = ["text", "status", "severity", "group", "control"];
  const HOST_ITSELF = -1;
  const ARROWS = {
    ArrowRight: [0, 1],
    ArrowLeft: [0, -1],
    ArrowDown: [1, 0],
    ArrowUp: [-1, 0],
  };

  const data = JSON.parse(document.getElementById("data").textContent);
  const section = document.getElementById("hosts");
  const open = new Set(data.open);
  const newlyFailing = new Set(data.newly_failing.map(String));
  const resolved = new Set(data.resolved.map(String));
  const worstFirst = data.hosts.map((_name, host) => host).sort(compareHosts);

  let savedFilters = "";
  let lowered = [];
  let details = null;
  let rows = [];
  let columns = [];
  let isPrinting = false;
  let opener = null;

  // Elements are made and their text is set, never parsed: what comes from hosts stays text.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) {
        element.addEventListener(name.slice(2), value);
      } else if (value !== false && value !== null && value !== undefined) {
        element.setAttribute(name, value);
      }
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function makeButton(label, onclick, attributes) {
    return make("button", { type: "button", onclick, ...attributes }, label);
  }

  function control(index) {
    const [id, title, headline, severity, rationale, remedy] = data.controls[index];
    return { id, title, headline, severity, rationale, remedy };
  }

  function compareHosts(one, other) {
    return rank(one) - rank(other) || one - other;
  }

  function rank(host) {
    const order = Object.keys(data.statuses);
    const openFindings = [...data.matrix[host]].filter((letter) => open.has(letter)).length;
    return order.indexOf(data.status[host]) * 1000 - openFindings;
  }

  // The filters are in the address, so that a filtered page can be linked to. So is what a dialog
  // shows: host/control, each percent-encoded.
  function filters() {
    const text = location.hash.slice(1);
    if (!text.includes("/")) {
      savedFilters = text;
    }
    return new URLSearchParams(savedFilters);
  }

  function addressOf(host, index) {
    const id = index === HOST_ITSELF ? "" : control(index).id;
    return `#${encodeURIComponent(data.hosts[host])}/${encodeURIComponent(id)}`;
  }

  function openAddressed() {
    const parts = location.hash.slice(1).split("/");
    if (parts.length !== 2) {
      return;
    }
    let [name, id] = parts;
    try {
      [name, id] = [decodeURIComponent(name), decodeURIComponent(id)];
    } catch {
      return;
    }
    const host = data.hosts.indexOf(name);
    const index = data.controls.findIndex((row) => row[0] === id);
    const isKnown = host >= 0 && (!id || (index >= 0 && data.statuses[data.matrix[host][index]]));
    if (isKnown) {
      openDialog(host, id ? index : HOST_ITSELF);
    }
  }

  function setFilter(name, value) {
    const values = filters();
    if (value) {
      values.set(name, value);
    } else {
      values.delete(name);
    }
    if (name !== "page") {
      values.delete("page");
    }
    for (const key of [...values.keys()]) {
      if (!FILTERS.includes(key) && key !== "page") {
        values.delete(key); // the target of a link in the table of contents
      }
    }
    history.replaceState(null, "", "#" + values);
    show();
  }

  function hasStatus(letter, status) {
    if (!status) {
      return true;
    }
    if (status === "open") {
      return open.has(letter);
    }
    return Boolean(data.statuses[letter]) && data.statuses[letter][0] === status;
  }

  function contains(text, part) {
    return text.toLowerCase().includes(part);
  }

  function applyFilters() {
    const values = filters();
    const text = (values.get("text") || "").toLowerCase();
    columns = filteredColumns(values);
    const matching = columns.filter((index) => {
      const { id, title } = control(index);
      return contains(id + " " + title, text);
    });
    // A search that no control's name answers is one in reasons and evidence.
    const found = text && !matching.length ? findTexts(text) : null;
    rows = worstFirst.filter((host) => isShown(host, values, text, matching, found));
    if (text && matching.length && !data.hosts.some((name) => contains(name, text))) {
      columns = matching;
    }
  }

  // Which texts of the details have a part; null as long as they are not unpacked.
  function findTexts(part) {
    if (!details) {
      return null;
    }
    if (!lowered.length) {
      lowered = details.texts.map((text) => text.toLowerCase());
    }
    return lowered.map((text) => text.includes(part));
  }

  function isFound(host, index, found) {
    return found[details.reasons[index][host]] || found[details.evidence[index][host]];
  }

  function filteredColumns(values) {
    const id = values.get("control");
    const severity = values.get("severity");
    const indexes = data.controls.map((_control, index) => index);
    return indexes.filter((index) => {
      const one = control(index);
      return (!id || one.id === id) && (!severity || one.severity === severity);
    });
  }

  function isShown(host, values, text, matching, found) {
    const group = values.get("group");
    if (group && !data.member[host].some((index) => data.groups[index] === group)) {
      return false;
    }
    const isKnownFor = Boolean(found && found[details.facts[host]]);
    const isNamed =
      isKnownFor || contains(data.hosts[host], text) || contains(data.reason[host], text);
    let searched = text && !isNamed ? matching : columns;
    if (found && !isNamed) {
      searched = columns.filter((index) => isFound(host, index, found));
    }
    const isNarrowed = Boolean(values.get("control") || values.get("severity"));
    if (!searched.length && (text || isNarrowed)) {
      return false;
    }
    const status = values.get("status");
    if (!status) {
      return true;
    }
    if (!isNarrowed && searched === columns && hasStatus(data.status[host], status)) {
      return true;
    }
    return searched.some((index) => hasStatus(data.matrix[host][index], status));
  }

  function makeSelect(name, title, options) {
    const field = make(
      "select",
      { id: "filter-" + name, onchange: (event) => setFilter(name, event.target.value) },
      make("option", { value: "" }, "all"),
      ...options.map(([value, word]) => make("option", { value }, word)),
    );
    return make("label", { for: field.id }, title, field);
  }

  function makeSearch() {
    const field = make("input", {
      id: "filter-text",
      type: "search",
      oninput: search,
    });
    return make("label", { for: field.id }, "Host, control, reason, evidence, fact", field);
  }

  async function search(event) {
    setFilter("text", event.target.value);
    if (!details) {
      try {
        await loadDetails();
      } catch {
        return; // Hosts and controls can be searched all the same.
      }
      show();
    }
  }

  function clearFilters() {
    history.replaceState(null, "", "#");
    show();
  }

  function makeForm() {
    const same = (name) => [name, name];
    const statuses = Object.values(data.statuses).map(([name, , word]) => [name, word]);
    const ids = data.controls.map(([id]) => same(id));
    const groups = data.groups.map(same);
    return make(
      "form",
      {
        role: "search",
        "aria-label": "Filter the hosts",
        onsubmit: (event) => event.preventDefault(),
      },
      makeSearch(),
      makeSelect("status", "Status", [["open", "anything open"], ...statuses]),
      makeSelect("severity", "Severity", SEVERITIES.map(same)),
      groups.length ? makeSelect("group", "Group", groups) : null,
      makeSelect("control", "Control", ids),
      makeButton("Show all", clearFilters),
      make("span", { id: "limit" }),
    );
  }

  function makeLegend() {
    const legend = make("p", { class: "legend" });
    for (const [name, symbol, word] of Object.values(data.statuses)) {
      legend.append(make("span", { class: "s " + name }, symbol + " " + word), " ");
    }
    return legend;
  }

  function build() {
    const keys =
      "Press a cell for its reason, evidence and change; arrow keys move, Enter opens, " +
      "Escape closes.";
    const dialog = make("dialog", {
      id: "dialog",
      "aria-labelledby": "dialog-title",
      onclose: leaveDialog,
    });
    section.append(
      makeForm(),
      make("p", { id: "count", "aria-live": "polite" }),
      makeLegend(),
      make("p", { class: "legend keys" }, keys),
      make("div", { class: "wide matrix", id: "matrix" }),
      make("div", { class: "pages" }),
    );
    document.body.append(dialog);
    document.getElementById("plain").remove();
  }

  function leaveDialog() {
    history.replaceState(null, "", "#" + savedFilters);
    if (opener && opener.isConnected) {
      opener.focus();
    }
  }

  function show() {
    applyFilters();
    const values = filters();
    for (const name of FILTERS) {
      const field = document.getElementById("filter-" + name);
      if (field && field !== document.activeElement) {
        field.value = values.get(name) || "";
      }
    }
    const pages = Math.max(1, Math.ceil(rows.length / PAGE_SIZE));
    const page = Math.min(pages, Math.max(1, parseInt(values.get("page"), 10) || 1));
    const visible = rows.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
    if (isPrinting) {
      document.getElementById("matrix").replaceChildren(...rows.map(makePrintedHost));
    } else {
      showMatrix(visible);
    }
    showPages(page, pages);
    document.getElementById("count").textContent =
      `${rows.length} of ${data.hosts.length} hosts, ` +
      `${columns.length} of ${data.controls.length} controls`;
    const names = rows.map((host) => data.hosts[host]);
    const button = rows.length ? makeLimitButton(names.join(",")) : "";
    document.getElementById("limit").replaceChildren(button);
  }

  function showMatrix(hosts) {
    const table = make(
      "table",
      null,
      make("caption", { hidden: "" }, "Hosts and controls"),
      make("thead", null, makeHead()),
      make("tbody", null, ...hosts.map(makeRow)),
    );
    const first = table.querySelector("tbody button");
    if (first) {
      first.tabIndex = 0;
    }
    document.getElementById("matrix").replaceChildren(table);
  }

  // A matrix is wider than paper: printed, each host is a list.
  function makePrintedHost(host) {
    const [status, symbol, word] = data.statuses[data.status[host]];
    const badge = make("span", { class: "s " + status }, symbol + " " + word);
    const lines = [];
    for (const [letter, [, , found]] of Object.entries(data.statuses)) {
      const ids = columns.filter((index) => data.matrix[host][index] === letter);
      if (ids.length) {
        const names = ids.map((index) => control(index).id).join(", ");
        lines.push(make("li", null, make("b", null, found + ": "), names));
      }
    }
    return make(
      "div",
      { class: "printed" },
      make("h3", null, data.hosts[host] + " ", badge),
      data.reason[host] ? make("p", null, data.reason[host]) : null,
      make("ul", null, ...lines),
    );
  }

  function makeHead() {
    const head = make("tr", null, make("th", { scope: "col" }, "Host"));
    for (const index of columns) {
      const { id, title } = control(index);
      const toggle = () => setFilter("control", filters().get("control") === id ? "" : id);
      head.append(make("th", { scope: "col" }, makeButton(id, toggle, { title })));
    }
    return head;
  }

  function makeRow(host) {
    const [status, symbol, word] = data.statuses[data.status[host]];
    const name = data.hosts[host];
    const badge = make("span", { class: "s " + status, "aria-hidden": "true" }, symbol);
    const button = makeCell(host, HOST_ITSELF, name + ", " + word);
    button.append(badge, " " + name);
    const row = make("tr", null, make("th", { scope: "row" }, button));
    for (const index of columns) {
      row.append(makeFinding(host, index));
    }
    return row;
  }

  function makeFinding(host, index) {
    const found = data.statuses[data.matrix[host][index]];
    if (!found) {
      return make("td", { "aria-label": "does not have this control" });
    }
    const [status, symbol, word] = found;
    const key = host + "," + index;
    let style = status;
    let label = `${data.hosts[host]}, ${control(index).id}: ${word}`;
    if (newlyFailing.has(key)) {
      style += " newly-failing";
      label += ", newly failing";
    } else if (resolved.has(key)) {
      style += " resolved";
      label += ", resolved";
    }
    const button = makeCell(host, index, label);
    button.title = label;
    button.append(symbol);
    return make("td", { class: style }, button);
  }

  function makeCell(host, index, label) {
    return make("button", {
      type: "button",
      "data-host": host,
      "data-control": index,
      tabindex: -1,
      "aria-label": label,
    });
  }

  function showPages(page, pages) {
    const bar = section.querySelector(".pages");
    const turn = (step) => () => setFilter("page", String(page + step));
    bar.replaceChildren();
    if (pages > 1) {
      bar.append(
        makeButton("Previous", turn(-1), { disabled: page === 1 ? "" : null }),
        make("span", null, `Page ${page} of ${pages}`),
        makeButton("Next", turn(1), { disabled: page === pages ? "" : null }),
      );
    }
  }

  function moveFocus(event) {
    const button = event.target.closest("tbody button");
    const step = ARROWS[event.key];
    if (!button || !step) {
      return;
    }
    const lines = button.closest("table").tBodies[0].rows;
    let line = button.closest("tr").sectionRowIndex + step[0];
    let column = button.closest("th, td").cellIndex + step[1];
    while (lines[line] && lines[line].cells[column]) {
      const next = lines[line].cells[column].querySelector("button");
      if (next) {
        button.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
        break;
      }
      line += step[0];
      column += step[1];
    }
    event.preventDefault();
  }

  async function loadDetails() {
    if (!details) {
      const packed = JSON.parse(document.getElementById("details").textContent).gzip;
      const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      details = JSON.parse(await new Response(stream).text());
    }
    return details;
  }

  function detail(column, host, index) {
    return details.texts[details[column][index][host]];
  }

  function detailData(column, host, index) {
    const text = detail(column, host, index);
    return text ? JSON.parse(text) : null;
  }

  function makeCopyButton(label, text) {
    const button = makeButton(label, async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        const code = make("code", null, text);
        button.replaceWith(code);
        getSelection().selectAllChildren(code);
      }
    });
    return button;
  }

  function makeCopyable(text) {
    return make("div", null, make("pre", null, text), makeCopyButton("Copy", text));
  }

  // A list of names becomes what ansible-playbook takes, at one press; a shell runs nothing in it.
  function makeLimitButton(names) {
    const isPlain = /^[\w.,-]+$/.test(names);
    const word = isPlain ? names : "'" + names.replaceAll("'", "'\\''") + "'";
    return makeCopyButton("Copy as --limit", "--limit " + word);
  }

  function asText(value) {
    if (value === null || value === undefined) {
      return "(none)";
    }
    return typeof value === "string" ? value : JSON.stringify(value);
  }

  function makeTable(heads, lines) {
    const head = make("tr", null, ...heads.map((text) => make("th", { scope: "col" }, text)));
    const body = lines.map((cells) =>
      make("tr", null, ...cells.map((value) => make("td", null, asText(value)))),
    );
    const table = make(
      "table",
      null,
      make("thead", null, head),
      make("tbody", null, ...body),
    );
    return make("div", { class: "wide" }, table);
  }

  // Each traffic in the evidence with each rule that decides on it.
  function decidingRules(value, pairs = []) {
    if (value && typeof value === "object") {
      if (Array.isArray(value.decided_by)) {
        value.decided_by.forEach((rule) => pairs.push([value, rule]));
      }
      Object.values(value).forEach((item) => decidingRules(item, pairs));
    }
    return pairs;
  }

  function makeRules(evidence) {
    const pairs = decidingRules(evidence);
    if (!pairs.length) {
      return [];
    }
    const heads = ["Program", "Profile", "Outcome", "Rule", "Store", "Why"];
    const lines = pairs.map(([traffic, rule]) => {
      const name = rule.name ? `${rule.name} (${rule.rule})` : "no rule";
      return [
        traffic.program,
        traffic.profile,
        traffic.outcome,
        name,
        rule.store,
        rule.reason,
      ];
    });
    return [make("h3", null, "What decides"), makeTable(heads, lines)];
  }

  // How far each probe came, or the packet through the firewall.
  function makeStages(found) {
    if (!found) {
      return [];
    }
    const lines = found.lines.map((stages) => {
      const parts = stages.map(({ title, content, outcome }) => {
        const kind = title ? make("small", null, title + " ") : null;
        return make("span", { class: `stage ${outcome}` }, kind, content);
      });
      return make("p", { class: "route" }, ...parts);
    });
    return [make("h3", null, found.title), ...lines];
  }

  function makeChanges(found) {
    if (!found) {
      return [];
    }
    const parts = [make("h3", null, found.title)];
    for (const { subject, before, after } of found.changes) {
      const names = Object.keys(after);
      const changed = names.filter((name) => asText(before[name]) !== asText(after[name]));
      const lines = changed.map((name) => [name, before[name], after[name]]);
      parts.push(make("p", null, subject), makeTable(["", "Before", "After"], lines));
    }
    return parts;
  }

  function makeWaiver(waiver) {
    if (!waiver) {
      return [];
    }
    const without = waiver.status === "fail" ? "fails" : "is unknown";
    const state = waiver.expired ? "The waiver has expired" : `Waived, else it ${without}`;
    const ticket = waiver.ticket ? ", " + waiver.ticket : "";
    const end = `${waiver.owner}, last day ${waiver.expires}${ticket}`;
    return [make("p", null, `${state}: ${waiver.reason} (${end})`)];
  }

  function makeEvidence(evidence) {
    if (evidence) {
      const pre = make("pre", null, JSON.stringify(evidence, null, 2));
      return [make("details", null, make("summary", null, "Evidence"), pre)];
    }
    if (data.left_out) {
      const text = "The evidence is in report.json; with it this page would be too large.";
      return [make("p", { class: "legend" }, text)];
    }
    return [];
  }

  function makeAdvice(rationale, remedy, contact, cause) {
    const parts = [];
    if (rationale) {
      parts.push(make("p", null, make("b", null, "Why it matters: "), rationale));
    }
    if (cause) {
      parts.push(make("p", null, make("b", null, "It follows from: "), make("code", null, cause)));
    }
    if (remedy) {
      const heading = "What to do" + (contact ? ` (${contact}):` : ":");
      parts.push(make("p", null, make("b", null, heading)), makeCopyable(remedy));
    }
    return parts;
  }

  function makeDetails(host, index) {
    const { id, title, headline, severity, rationale, remedy } = control(index);
    const letter = data.matrix[host][index];
    const [status, symbol, word] = data.statuses[letter];
    const isOpen = open.has(letter);
    const isFailing = status === "fail" || status === "would_fix";
    const evidence = detailData("evidence", host, index);
    return [
      make("h3", null, isFailing ? headline : title),
      make(
        "p",
        null,
        make("span", { class: "s " + status }, symbol + " " + word),
        " ",
        make("span", { class: "severity " + severity }, severity),
        " ",
        make("code", null, id),
        " found " + detail("times", host, index),
      ),
      make("p", null, detail("reasons", host, index)),
      ...makeWaiver(detailData("waivers", host, index)),
      ...makeRules(evidence),
      ...makeStages(detailData("stages", host, index)),
      ...makeChanges(detailData("changes", host, index)),
      ...makeAdvice(
        rationale,
        isOpen ? detail("remedies", host, index) || remedy : "",
        detail("contacts", host, index),
        detail("causes", host, index),
      ),
      ...makeEvidence(evidence),
    ];
  }

  function makeHostDetails(host) {
    const [status, symbol, word] = data.statuses[data.status[host]];
    const groups = data.member[host].map((index) => data.groups[index]).join(", ");
    const badge = make("span", { class: "s " + status }, symbol + " " + word);
    const parts = [make("p", null, badge, " " + groups)];
    const reason = data.reason[host];
    if (reason) {
      parts.push(make("p", null, reason));
    }
    parts.push(...makeFacts(host));
    const closed = [];
    data.controls.forEach((_control, index) => {
      // A host that was not judged has its own reason at every control.
      const repeats = reason && detail("reasons", host, index) === reason;
      if (!data.statuses[data.matrix[host][index]] || repeats) {
        return;
      }
      if (open.has(data.matrix[host][index])) {
        parts.push(...makeDetails(host, index), make("hr"));
      } else {
        closed.push(index);
      }
    });
    if (closed.length) {
      parts.push(makeClosed(host, closed));
    }
    return parts;
  }

  function makeClosed(host, indexes) {
    const summary = make("summary", null, `Controls that are not open: ${indexes.length}`);
    const list = make("details", null, summary);
    list.addEventListener("toggle", () => {
      if (list.childElementCount === 1) {
        indexes.forEach((index) => list.append(...makeDetails(host, index), make("hr")));
      }
    });
    return list;
  }

  function makeFacts(host) {
    const text = details.texts[details.facts[host]];
    if (!text) {
      return [];
    }
    const list = make("dl");
    for (const [name, value] of JSON.parse(text)) {
      list.append(make("dt", null, name), make("dd", null, value));
    }
    return [list];
  }

  function addLimitButtons() {
    for (const code of document.querySelectorAll("code.limit")) {
      code.after(" ", makeLimitButton(code.textContent));
    }
  }

  // What scrolls sideways can be reached by keyboard, and has a name.
  function markScrollable() {
    for (const box of document.querySelectorAll(".wide:not(.matrix)")) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Scrolls sideways");
      }
    }
  }

  async function openDialog(host, index) {
    const dialog = document.getElementById("dialog");
    const title = make("h2", { id: "dialog-title" }, data.hosts[host]);
    const close = makeButton("Close", () => dialog.close());
    dialog.replaceChildren(make("div", { class: "top" }, title, close));
    history.replaceState(null, "", addressOf(host, index));
    if (!dialog.open) {
      dialog.showModal();
    }
    try {
      await loadDetails();
    } catch (error) {
      const text = `This browser cannot unpack the details (${error.message}); see report.json.`;
      dialog.append(make("p", null, text));
      return;
    }
    const parts = index === HOST_ITSELF ? makeHostDetails(host) : makeDetails(host, index);
    dialog.append(...parts);
    markScrollable();
  }

  function openCell(event) {
    const button = event.target.closest("tbody button");
    if (button) {
      opener = button;
      openDialog(Number(button.dataset.host), Number(button.dataset.control));
    }
  }

  function followAddress() {
    show();
    openAddressed();
    const isFilter = !location.hash.includes("/") && FILTERS.some((name) => filters().get(name));
    if (isFilter) {
      section.scrollIntoView();
    }
  }

  function setPrinting(value) {
    isPrinting = value;
    show();
  }

  build();
  addLimitButtons();
  const matrix = document.getElementById("matrix");
  matrix.addEventListener("keydown", moveFocus);
  matrix.addEventListener("click", openCell);
  addEventListener("hashchange", followAddress);
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
  addEventListener("resize", markScrollable);
  addEventListener("toggle", () => requestAnimationFrame(markScrollable), true);
  followAddress();
  markScrollable();
})();
