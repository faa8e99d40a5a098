// Shards, state in the address, tables and lists. No library, no network, no server.
"use strict";
(function () {
  const shards = {}, waiting = {};
  const NMC = (window.NMC = {});

  // A shard calls put when it has loaded: scripts work from file://, fetch does not.
  NMC.put = (name, value) => {
    shards[name] = value;
    (waiting[name] || []).forEach((tell) => tell(value));
    delete waiting[name];
  };
  NMC.load = (name) => {
    if (name in shards) return Promise.resolve(shards[name]);
    return new Promise((resolve, reject) => {
      if (waiting[name]) return waiting[name].push(resolve);
      waiting[name] = [resolve];
      const script = document.createElement("script");
      script.src = "data/" + encodeURIComponent(name) + ".js";
      script.onerror = () => reject(new Error("The file data/" + name + ".js is missing."));
      document.head.append(script);
    });
  };
  NMC.all = (names) => Promise.all(names.map(NMC.load));

  // Rows of a shard as objects.
  NMC.rows = (shard) =>
    shard.rows.map((row) => Object.fromEntries(shard.columns.map((c, i) => [c, row[i]])));

  NMC.state = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  NMC.hash = (state) => {
    const kept = Object.entries(state).filter(([, value]) => value !== "" && value != null);
    const text = new URLSearchParams(kept).toString().replaceAll("%3A", ":");
    return "#" + text;
  };
  NMC.keep = (changes) => {
    const hash = NMC.hash({ ...NMC.state(), ...changes });
    try { history.replaceState(null, "", hash); } catch (error) { location.replace(hash); }
  };
  NMC.link = (kind, item, text) =>
    NMC.make("a", { href: kind + ".html" + NMC.hash({ item }) }, text || item);

  NMC.make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  };

  NMC.number = (value) => {
    if (value === null || value === undefined) return "–";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "number") return String(value);
    return value.toLocaleString("en", { maximumFractionDigits: 6 });
  };

  // Every word of the query must occur; "L5 TTPC1" and "L5_TTPC1" both find L5_TTPC1.
  NMC.words = (query) => query.toLowerCase().split(/[\s:>→]+/).filter(Boolean);
  NMC.matches = (text, words) => words.every((word) => text.includes(word));

  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null); // missing last, both ways
    return typeof a === "number" && typeof b === "number"
      ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  };
  NMC.sorted = (rows, column, descending) => {
    const sign = descending ? -1 : 1;
    return [...rows].sort((x, y) => {
      const a = x[column], b = y[column];
      return a === null || b === null ? compare(a, b) : sign * compare(a, b);
    });
  };

  const LIMIT = 250; // rows shown before one asks for all
  const FEW = 8; // rows that need no search

  // A searchable, sortable table whose query and order stand in the address.
  NMC.table = (kind, meta, rows, options = {}) => {
    const columns = options.columns || meta.listed;
    const name = (key) => (options.prefix || "") + key;
    const state = NMC.state();
    let query = state[name("q")] || "", sort = state[name("sort")] || "";
    let descending = state[name("desc")] === "1", whole = false;
    const texts = new Map(rows.map((row) => [row, Object.values(row).join(" ").toLowerCase()]));
    const body = NMC.make("tbody"), count = NMC.make("p", { class: "count", "aria-live": "polite" });
    const more = NMC.make("button", { class: "more", type: "button", onclick: () => { whole = true; draw(); } });
    const heads = columns.map((column) => {
      const about = meta.columns[column] || { label: column, unit: "" };
      const numeric = rows.some((row) => typeof row[column] === "number");
      const button = NMC.make("button", { type: "button", onclick: () => {
        descending = sort === column ? !descending : numeric;
        sort = column;
        NMC.keep({ [name("sort")]: sort, [name("desc")]: descending ? "1" : "" });
        draw();
      } }, about.label);
      if (about.unit) button.append(NMC.make("span", { class: "unit" }, " (" + about.unit + ")"));
      return NMC.make("th", { scope: "col", class: numeric ? "number" : null, "data-column": column }, button);
    });
    const input = NMC.make("input", {
      type: "search", value: query, autocomplete: "off", spellcheck: "false",
      placeholder: options.placeholder || "type a part of a name", oninput: () => {
        query = input.value;
        NMC.keep({ [name("q")]: query });
        draw();
      },
    });

    function draw() {
      const words = NMC.words(query);
      const found = rows.filter((row) => NMC.matches(texts.get(row), words));
      const ordered = sort ? NMC.sorted(found, sort, descending) : found;
      const shown = whole ? ordered : ordered.slice(0, LIMIT);
      body.replaceChildren(...shown.map(line));
      count.textContent = found.length === rows.length
        ? rows.length.toLocaleString("en") + " " + (rows.length === 1 && meta.singular || meta.title.toLowerCase())
        : found.length.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
      more.hidden = shown.length === ordered.length;
      more.textContent = "Show all " + ordered.length.toLocaleString("en");
      heads.forEach((head) => {
        if (head.dataset.column === sort) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
    }
    function line(row) {
      return NMC.make("tr", {}, ...columns.map((column) => {
        const value = row[column];
        const content = column === kind ? NMC.link(kind, value, options.text && options.text(row)) : NMC.number(value);
        return NMC.make("td", { class: typeof value === "number" ? "number" : null }, content);
      }));
    }
    draw();
    return NMC.make("div", {},
      rows.length > FEW || query
        ? NMC.make("div", { class: "search" }, NMC.make("label", {}, NMC.make("span", {}, "Search"), input)) : null,
      count,
      NMC.make("div", { class: "scroll" }, NMC.make("table", {}, NMC.make("thead", {}, NMC.make("tr", {}, ...heads)), body)),
      more);
  };

  // All facts of one item; what is not printed is left out.
  NMC.facts = (meta, row, columns, links = {}) => {
    const list = NMC.make("dl");
    for (const column of columns || Object.keys(meta.columns)) {
      const about = meta.columns[column];
      if (!about || row[column] === null || row[column] === undefined) continue;
      const value = links[column] ? NMC.link(links[column], row[column]) : NMC.number(row[column]);
      list.append(NMC.make("dt", {}, about.label), NMC.make("dd", {}, value,
        about.unit ? NMC.make("span", { class: "unit" }, " " + about.unit) : null));
    }
    return list;
  };

  // Mean and standard deviation on one line.
  NMC.spread = (meta, row, columns) => {
    const list = NMC.make("dl");
    for (const column of columns) {
      if (row[column] === null || row[column] === undefined) continue;
      const about = meta.columns[column], std = row[column.replace("_mean", "_std")];
      const pair = column.includes("_mean") && std !== undefined;
      list.append(
        NMC.make("dt", {}, about.label.replace(/ mean$/, "")),
        NMC.make("dd", {}, NMC.number(row[column]) + (pair ? " ± " + NMC.number(std) : ""),
          about.unit ? NMC.make("span", { class: "unit" }, " " + about.unit) : null));
    }
    return list;
  };
})();
