"use strict";
// Filters, the window of a route, and links to both. Nothing here makes markup from text: the page's policy forbids it.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const filters = byId("filters");
  const fields = [...filters.querySelectorAll("[data-filter]")];
  const services = [...document.querySelectorAll(".service")];
  const rows = new Map([...document.querySelectorAll("[data-route]")].map((row) => [row.dataset.route, row]));
  const total = byId("count").textContent;
  const unfolded = services.every((service) => service.open);
  const FEW = 12; // services that match are unfolded, unless there are more
  let active = false;
  const words = new Map(Object.entries(data.routes).map(([id, route]) => [id, haystack(id, route)]));

  function haystack(id, route) {
    return [id, route.owner, route.path, ...route.methods, ...route.hosts, route.about].join(" ").toLowerCase();
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function placed(place) {
    if (!data.source) return element("span", "place", place);
    const [, file, line] = place.match(/^(.*):(\d+)$/);
    const link = element("a", "place", place);
    link.href = data.source.replace("{file}", () => encodeURIComponent(file)).replace("{line}", line);
    return link;
  }

  // --- filters

  function asked() {
    return Object.fromEntries(fields.filter((field) => field.value).map((field) => [field.name, field.value]));
  }

  function matches(id, wanted, terms) {
    const route = data.routes[id];
    if (wanted.owner && route.owner !== wanted.owner) return false;
    const facets = Object.entries(wanted).filter(([name]) => name !== "q" && name !== "owner");
    if (!facets.every(([, facet]) => route.facets.includes(facet))) return false;
    return terms.every((term) => words.get(id).includes(term));
  }

  function filter() {
    const wanted = asked();
    const terms = (wanted.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    const before = active;
    active = Object.keys(wanted).length > 0;
    let shown = 0;
    for (const [id, row] of rows) {
      row.hidden = active && !matches(id, wanted, terms);
      shown += row.hidden ? 0 : 1;
    }
    const left = services.filter((service) => {
      service.hidden = active && !service.querySelector("[data-route]:not([hidden])");
      return !service.hidden;
    });
    for (const owner of document.querySelectorAll(".owner")) owner.hidden = !owner.querySelector(".service:not([hidden])");
    if (active) unfold(left, left.length <= FEW);
    else if (before) unfold(services, unfolded);
    byId("count").textContent = active ? `${shown} of ${total}` : total;
    byId("nothing").hidden = shown > 0;
    byId("clear").hidden = !active;
    for (const field of fields) field.classList.toggle("set", field.value !== "");
  }

  function unfold(some, open) {
    for (const service of some) service.open = open;
    byId("unfold").textContent = open ? "Fold all" : "Unfold all";
  }

  function changed() {
    filter();
    const wanted = new URLSearchParams(asked()).toString();
    history.replaceState(null, "", wanted ? `#${wanted}` : "#services");
  }

  function set(wanted) {
    for (const field of fields) field.value = wanted.get(field.name) || "";
    filter();
  }

  // --- the window of a route

  const dialog = byId("window");
  let opener = null;

  function values(route) {
    const body = document.createDocumentFragment();
    let group = "";
    for (const index of route.values) {
      const [number, text, level, place, under] = data.values[index];
      const [title, field] = data.fields[number];
      if (title !== group) body.append(heading((group = title)));
      const row = element("tr");
      const name = element("th");
      name.scope = "row";
      name.append(element("code", "", field));
      const value = element("td", "", text);
      for (const one of under) value.append(overruled(one));
      row.append(name, value, from(level, place));
      body.append(row);
    }
    return body;
  }

  function heading(title) {
    const row = element("tr", "group");
    const cell = element("th", "", title);
    cell.colSpan = 3;
    cell.scope = "rowgroup";
    row.append(cell);
    return row;
  }

  function overruled([level, text, place]) {
    const line = element("span", "under", "over ");
    line.append(element("s", "", text), " ", element("span", `level level-${level}`, level), " ", placed(place));
    return line;
  }

  function from(level, place) {
    const cell = element("td");
    const kind = level === "built in" ? "default" : level;
    cell.append(element("span", `level level-${kind}`, level), " ", placed(place));
    return cell;
  }

  function picture(route) {
    const stages = route.way.map((index) => data.stages[index]);
    return [...document.querySelectorAll("#way .way")].map((drawn) => {
      const copy = drawn.cloneNode(true);
      copy.setAttribute("aria-label", `The way of ${route.service}/${route.route}. ${stages.map(sentence).join(" ")}`);
      for (const [name, , , lines, statuses] of stages) fill(copy.querySelector(`[data-stage="${name}"]`), lines, statuses);
      return copy;
    });
  }

  function sentence([, title, lines, , statuses], index) {
    const refuses = statuses ? ` Refuses with ${statuses}.` : "";
    return `${index + 1}. ${title}: ${lines.join("; ") || "nothing is checked"}.${refuses}`;
  }

  function fill(stage, lines, statuses) {
    stage.classList.toggle("off", lines.length === 0);
    stage.querySelectorAll(".line").forEach((line, index) => (line.textContent = lines[index] || ""));
    stage.querySelector(".status").textContent = statuses;
    stage.querySelector(".refusal").setAttribute("display", statuses ? "inline" : "none");
  }

  const MARKS = { exact: "✓", approximate: "≈", unsupported: "✕" };

  function notes(route) {
    const all = [...route.notes.map((index) => [index, ""]), ...route.shared.map((index) => [index, `, for all of ${route.service}`])];
    if (!all.length) return [element("p", "hint", "Every gateway keeps all of this exactly.")];
    return all.map(([index, whose]) => {
      const [target, feature, fidelity, text, accepted] = data.notes[index];
      const box = element("div", "remark");
      const head = element("div");
      const mark = element("span", `mark mark-${fidelity}`, MARKS[fidelity]);
      mark.setAttribute("aria-hidden", "true");
      head.append(mark, ` ${target} `, element("code", "", feature), ` ${fidelity}${whose}`);
      box.append(head, element("p", "", text), element("p", "small", accepted ? "accepted by the platform" : "not accepted: compiling says so"));
      return box;
    });
  }

  function waivers(route) {
    if (!route.waivers.length) return [];
    const boxes = route.waivers.map(([bound, reason, until, place]) => {
      const box = element("div", "remark");
      const head = element("div");
      head.append(element("code", "", bound), ` until ${until} `, placed(place));
      box.append(head, element("p", "", reason));
      return box;
    });
    return [element("h3", "", "Excused by a waiver"), ...boxes];
  }

  function open(id) {
    const route = data.routes[id];
    if (!route) return false;
    byId("window-crumb").textContent = `${route.owner} · ${route.service} · ${route.route} · ${route.at}`;
    byId("window-title").textContent = `${route.methods.join(" ")} ${route.path}`;
    byId("window-about").textContent = route.about;
    byId("window-way").replaceChildren(...picture(route));
    byId("window-values").replaceChildren(values(route));
    byId("window-notes").replaceChildren(...notes(route));
    byId("window-waivers").replaceChildren(...waivers(route));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    byId("close").focus();
    return true;
  }

  function leave() {
    const wanted = new URLSearchParams(asked()).toString();
    history.replaceState(null, "", wanted ? `#${wanted}` : "#services");
    if (opener) opener.focus();
    opener = null;
  }

  // --- links

  function follow() {
    const hash = location.hash.slice(1);
    const wanted = new URLSearchParams(hash.includes("=") ? hash : "");
    if (wanted.has("route")) {
      if (!open(wanted.get("route"))) set(new URLSearchParams({ q: wanted.get("route") }));
      return;
    }
    if (dialog.open) dialog.close();
    if ([...wanted.keys()].some((name) => filters.elements.namedItem(name))) {
      set(wanted);
      byId("services").scrollIntoView();
    }
    const service = hash.startsWith("service-") && byId(hash);
    if (service) {
      if (service.hidden) set(new URLSearchParams());
      service.open = true;
      service.scrollIntoView();
    }
  }

  // --- the theme

  const THEMES = ["system", "light", "dark"];
  let theme = 0;

  function turn() {
    theme = (theme + 1) % THEMES.length;
    if (theme) document.documentElement.dataset.theme = THEMES[theme];
    else delete document.documentElement.dataset.theme;
    byId("theme").textContent = `Theme: ${THEMES[theme]}`;
  }

  // --- the gateways' features

  function features() {
    const wanted = document.querySelector("[name=features]:checked").value;
    for (const row of document.querySelectorAll(".matrix tbody tr")) {
      const used = row.classList.contains("used");
      row.hidden = wanted !== "all" && !(used && (wanted === "used" || row.classList.contains("inexact")));
    }
  }

  filters.addEventListener("input", changed);
  filters.addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    set(new URLSearchParams());
    changed();
    filters.elements.q.focus();
  });
  byId("unfold").addEventListener("click", () => unfold(services, byId("unfold").textContent === "Unfold all"));
  byId("more").addEventListener("click", () => {
    const shown = byId("choices").classList.toggle("shown");
    byId("more").setAttribute("aria-expanded", String(shown));
  });
  byId("theme").addEventListener("click", turn);
  byId("features").addEventListener("change", features);
  byId("close").addEventListener("click", () => dialog.close());
  byId("copy").addEventListener("click", () => {
    const done = (said) => (byId("copy").textContent = said);
    if (!navigator.clipboard) return done("Copy it from the address bar");
    return navigator.clipboard.writeText(location.href).then(() => done("Copied"), () => done("Copy it from the address bar"));
  });
  dialog.addEventListener("close", leave);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-route]");
    const preset = event.target.closest("[data-set]");
    if (row) opener = row.querySelector("a");
    if (row && !event.target.closest("a") && !String(getSelection())) opener.click();
    if (preset) {
      set(new URLSearchParams(preset.dataset.set));
      changed();
      byId("services").scrollIntoView();
    }
  });
  addEventListener("hashchange", follow);
  for (const id of ["filters", "theme", "features"]) byId(id).hidden = false;
  features();
  filter();
  follow();
})();
