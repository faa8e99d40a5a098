// One function a kind of page; which one is said by the body's data-kind.
"use strict";
(function () {
  const { make, link, load, all, rows, state, table, facts, spread, number } = NMC;
  const main = document.getElementById("main"), kind = document.body.dataset.kind;
  const layerOf = (name) => name.split("_")[0];
  const heading = (text) => make("h2", {}, text);
  const PATHWAY_ANATOMY = ["connection_probability_percent", "convergence_mean", "divergence_mean",
    "synapses_per_connection_mean", "total_synapse_count", "common_neighbour_bias"];
  const PATHWAY_PHYSIOLOGY = ["synapse_type", "s_type", "gsyn_mean_nS", "u_mean", "d_mean_ms", "f_mean_ms",
    "psp_amplitude_mean_mV", "cv_psp_amplitude_mean", "rise_time_mean_ms", "latency_mean_ms",
    "decay_mean_ms", "failures_mean_percent"];

  const pages = {
    async index(meta) {
      const [names, matrix] = await all(["names", "matrix"]);
      const every = [];
      for (const [sort, listed] of Object.entries(names)) listed.forEach((item) => every.push([sort, item]));
      matrix.mtypes.forEach((pre, i) => matrix.percent[i].forEach((value, j) => {
        if (value !== null) every.push(["pathway", pre + ":" + matrix.mtypes[j]]);
      }));
      const hits = make("ul", { class: "hits" }), count = make("p", { class: "count", "aria-live": "polite" });
      const input = make("input", { type: "search", value: state().q || "", autocomplete: "off", spellcheck: "false",
        placeholder: "L5_TTPC1, cNAC, L23_PC L5_MC …", oninput: () => { NMC.keep({ q: input.value }); draw(); } });
      function draw() {
        const words = NMC.words(input.value);
        const found = words.length ? every.filter(([, item]) => NMC.matches(item.toLowerCase(), words)) : [];
        found.sort((a, b) => a[1].length - b[1].length);
        hits.replaceChildren(...found.slice(0, 60).map(([sort, item]) =>
          make("li", {}, link(sort, item), " ", make("small", {}, meta.kinds[sort].singular))));
        count.textContent = words.length ? found.length.toLocaleString("en") + " found" + (found.length > 60 ? ", the 60 shortest names shown" : "") : "";
      }
      const cards = Object.entries(meta.kinds).map(([sort, about]) => make("li", {},
        make("a", { href: sort + ".html" }, make("strong", {}, about.count.toLocaleString("en")), about.title.toLowerCase())));
      show("Explorer", "Look up any layer, type of neuron, model or pathway of the microcircuit.",
        make("div", { class: "search" }, make("label", {}, make("span", {}, "Search every name"), input)),
        count, hits, make("ul", { class: "cards" }, ...cards));
      draw();
    },

    async layer(meta, about) {
      const list = rows(await load("layer")), one = chosen(list);
      if (!one) return listing(about, list);
      const mtypes = rows(await load("mtype")).filter((row) => row.layer === one.layer);
      show("Layer " + one.layer, null, facts(about, one),
        heading("Its m-types"), table("mtype", meta.kinds.mtype, mtypes));
    },

    async mtype(meta, about) {
      const list = rows(await load("mtype")), one = chosen(list);
      if (!one) return listing(about, list);
      const [metypes, matrix] = [rows(await load("metype")), await load("matrix")];
      const sent = matrix.mtypes.includes(one.mtype) && matrix.percent[matrix.mtypes.indexOf(one.mtype)].some((v) => v !== null)
        ? rows(await load("pathway-" + one.mtype)) : [];
      const at = matrix.mtypes.indexOf(one.mtype);
      const received = matrix.mtypes.filter((pre, i) => matrix.percent[i][at] !== null).map((pre) => ({
        pathway: pre + ":" + one.mtype, connection_probability_percent: matrix.percent[matrix.mtypes.indexOf(pre)][at] }));
      show(one.mtype, "an " + one.kind + " m-type of layer " + one.layer, facts(about, one, null, { layer: "layer" }),
        heading("Its me-types"), table("metype", meta.kinds.metype, metypes.filter((row) => row.mtype === one.mtype)),
        heading("Pathways it sends"), table("pathway", meta.kinds.pathway, sent, { prefix: "out-" }),
        heading("Pathways it receives"), table("pathway", meta.kinds.pathway, received,
          { prefix: "in-", columns: ["pathway", "connection_probability_percent"] }));
    },

    async metype(meta, about) {
      const list = rows(await load("metype")), one = chosen(list);
      if (!one) return listing(about, list);
      const [models, channels] = (await all(["model-" + one.layer, "channels-" + one.layer])).map(rows);
      const own = channels.filter((row) => row.metype === one.metype);
      const words = { columns: { section: { label: "section", unit: "" }, mechanism: { label: "mechanism", unit: "" },
        parameter: { label: "parameter", unit: "" }, expression: { label: "value", unit: "" }, unit: { label: "unit", unit: "" } },
        listed: ["section", "mechanism", "parameter", "expression", "unit"], title: "parameters" };
      show(one.metype, null, facts(about, one, null, { layer: "layer", mtype: "mtype" }),
        heading("Its models"), table("model", meta.kinds.model, models.filter((row) => row.metype === one.metype)),
        heading("Ion channels on its sheet"), make("p", { class: "lead" }, "x is the path distance from the soma in µm; a mechanism without a parameter keeps its default."),
        table(null, words, own, { prefix: "ch-" }));
    },

    async model(meta, about) {
      const item = state().item;
      const shards = item ? ["model-" + layerOf(item)] : ["L1", "L23", "L4", "L5", "L6"].map((layer) => "model-" + layer);
      const list = (await all(shards).catch(() => [])).flatMap(rows), one = chosen(list);
      if (!one) return listing(about, list);
      const group = (...starts) => Object.keys(about.columns).filter((column) => starts.some((start) => column.startsWith(start)));
      show(one.model, null, facts(about, one, ["metype", "mtype", "etype", "layer", "morphology"], { metype: "metype", mtype: "mtype", layer: "layer" }),
        heading("At rest"), facts(about, one, group("resting", "input", "membrane")),
        heading("Anatomy"), facts(about, one, group("axon", "apical", "basal", "soma")),
        heading("Step protocol"), one.holding_current_nA === null
          ? make("p", { class: "lead" }, "The currents stand in the model's package, which was not at hand when this page was built.")
          : facts(about, one, group("holding", "step")),
        heading("Use it"), make("pre", {}, "import nmc\n\nnmc.simulate_step(\"" + one.model + "\", step=1)"));
    },

    async pathway(meta, about) {
      const matrix = await load("matrix"), item = state().item || "";
      const [pre, post] = item.split(":");
      const known = matrix.mtypes.includes(pre) && (!post || matrix.mtypes.includes(post));
      const chooser = selectors(matrix, known ? pre : "", known ? post || "" : "");
      if (item && !known) return missing(item, chooser);
      const list = pre && matrix.percent[matrix.mtypes.indexOf(pre)].some((v) => v !== null) ? rows(await load("pathway-" + pre)) : [];
      const one = list.find((row) => row.pathway === item);
      if (!item) {
        const tip = make("p", { class: "tip", "aria-live": "polite" }, "Click a cell, or choose two m-types.");
        return show("Pathways", about.count.toLocaleString("en") + " pathways: rows send, columns receive; " + (isDark() ? "brighter" : "darker") + " is a higher connection probability.",
          chooser, tip, drawMatrix(matrix, tip));
      }
      if (!post) return show("Pathways from " + pre, null, chooser, table("pathway", about, list));
      if (!one) return show(pre + " → " + post, "There is no such pathway in the files.", chooser);
      const back = matrix.percent[matrix.mtypes.indexOf(post)][matrix.mtypes.indexOf(pre)] !== null;
      show(pre + " → " + post, null, chooser,
        make("p", {}, "From ", link("mtype", pre), " to ", link("mtype", post), ". ",
          back ? link("pathway", post + ":" + pre, "The opposite direction") : "There is no pathway in the opposite direction", "."),
        heading("Anatomy"), spread(about, one, PATHWAY_ANATOMY),
        heading("Physiology"), spread(about, one, PATHWAY_PHYSIOLOGY),
        make("p", { class: "lead" }, one.conductance_measured
          ? "Conductance measured; space-clamp correction factor " + number(one.space_clamp_correction_factor) + ", not yet applied."
          : "Conductance not measured: predicted."));
    },
  };

  function selectors(matrix, pre, post) {
    const menu = (label, value, other) => make("label", {}, make("span", {}, label), (() => {
      const select = make("select", { onchange: () => {
        const next = label === "Presynaptic" ? [select.value, post] : [pre, select.value];
        location.hash = NMC.hash({ item: next[0] ? next[0] + (next[1] ? ":" + next[1] : "") : "" });
      } }, make("option", { value: "" }, "…"), ...matrix.mtypes.map((name) =>
        make("option", { value: name, selected: name === value ? "" : null }, name)));
      if (label === "Postsynaptic" && !pre) select.disabled = true;
      return select;
    })());
    return make("div", { class: "search" }, menu("Presynaptic", pre), menu("Postsynaptic", post));
  }

  const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

  function drawMatrix(matrix, tip) {
    // The names of the layers stand in an edge above and at the left of the cells.
    const size = matrix.mtypes.length, cell = 12, edge = 36, whole = edge + size * cell;
    const canvas = make("canvas", { class: "matrix", width: whole, height: whole, role: "img",
      "aria-label": "Matrix of connection probabilities; the two menus above reach every cell." });
    const pen = canvas.getContext("2d"), dark = isDark();
    pen.translate(edge, edge);
    matrix.percent.forEach((line, i) => line.forEach((value, j) => {
      if (value === null) return;
      const depth = Math.min(1, Math.sqrt(value / 15));
      pen.fillStyle = `hsl(205 75% ${dark ? 24 + 50 * depth : 90 - 62 * depth}%)`;
      pen.fillRect(j * cell, i * cell, cell - 1, cell - 1);
    }));
    pen.strokeStyle = dark ? "#a8adb4" : "#5f6368";
    pen.fillStyle = pen.strokeStyle;
    pen.font = "15px sans-serif";
    pen.textAlign = "center";
    for (const layer of new Set(matrix.mtypes.map(layerOf))) {
      const own = matrix.mtypes.filter((name) => layerOf(name) === layer).length;
      const middle = (matrix.mtypes.findIndex((name) => layerOf(name) === layer) + own / 2) * cell;
      pen.fillText(layer, middle, -10);
      pen.fillText(layer, -edge / 2, middle + 5);
    }
    matrix.mtypes.forEach((name, i) => {
      if (!i || layerOf(name) === layerOf(matrix.mtypes[i - 1])) return;
      pen.beginPath();
      pen.moveTo(i * cell - 0.5, 0); pen.lineTo(i * cell - 0.5, size * cell);
      pen.moveTo(0, i * cell - 0.5); pen.lineTo(size * cell, i * cell - 0.5);
      pen.stroke();
    });
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const place = (value, start, length) =>
        Math.max(0, Math.min(size - 1, Math.floor((((value - start) / length) * whole - edge) / cell)));
      return [place(event.clientY, box.top, box.height), place(event.clientX, box.left, box.width)];
    };
    canvas.addEventListener("pointermove", (event) => {
      const [i, j] = at(event), value = matrix.percent[i][j];
      tip.textContent = matrix.mtypes[i] + " → " + matrix.mtypes[j] + ": " + (value === null ? "no pathway" : number(value) + " %");
    });
    canvas.addEventListener("click", (event) => {
      const [i, j] = at(event);
      if (matrix.percent[i][j] !== null) location.hash = NMC.hash({ item: matrix.mtypes[i] + ":" + matrix.mtypes[j] });
    });
    return canvas;
  }

  function chosen(list) {
    const item = state().item;
    return item ? list.find((row) => row[kind] === item) : null;
  }
  function listing(about, list) {
    const item = state().item;
    if (item) return missing(item);
    show(about.title, null, table(kind, about, list));
  }
  function missing(item, ...rest) {
    show("Not found", null, make("p", { class: "missing" }, "There is no " + kind + " " + item + "."),
      make("p", {}, make("a", { href: kind + ".html" }, "All of them")), ...rest);
  }
  function show(title, lead, ...content) {
    document.title = title + " · NMC explorer";
    main.replaceChildren(make("h1", {}, title), lead ? make("p", { class: "lead" }, lead) : "", ...content);
    main.dataset.ready = "yes";
  }

  async function render() {
    try {
      const meta = await load("meta");
      await pages[kind](meta, meta.kinds[kind]);
    } catch (error) {
      main.replaceChildren(make("p", { class: "missing", role: "alert" }, error.message));
    }
  }
  window.addEventListener("hashchange", () => { if (location.hash !== "#main") { render(); scrollTo(0, 0); } });
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  render();
})();
