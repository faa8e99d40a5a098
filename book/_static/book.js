// Tables of class nmc-table sort by a click (or Enter) on a heading and filter by typing; figures
// are enlarged by a click. No library.
(function () {
  "use strict";

  function value(row, column) {
    const text = row.cells[column].textContent.trim();
    const number = Number(text.replace(/,/g, ""));
    return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a.localeCompare(b);
  }

  function sort(table, heading, column) {
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const body = table.tBodies[0];
    Array.from(body.rows)
      .sort((a, b) => compare(value(a, column), value(b, column)) * (rising ? 1 : -1))
      .forEach((row) => body.appendChild(row));
  }

  function addFilter(table) {
    const field = document.createElement("input");
    field.type = "search";
    field.className = "nmc-filter";
    field.placeholder = "Filter the rows";
    field.setAttribute("aria-label", "Filter the rows of the table");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    table.closest(".nmc-table-box").before(field);
  }

  // Lets names such as input_resistance_MOhm or extract/mc2/L5_TTPC2 go on in the next line.
  function breakNames(cells) {
    for (const cell of cells) {
      const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      const texts = [];
      while (walk.nextNode()) texts.push(walk.currentNode);
      for (const text of texts) {
        text.replaceWith(...text.data.split(/(?<=[_/])(?=[^_/]{2})/).flatMap((part, n) =>
          n ? [document.createElement("wbr"), part] : [part]));
      }
    }
  }

  // A table too wide for its column breaks the names of columns, then long names in its rows, then
  // short ones if that lets it fit; else it scrolls.
  function fitTables(box) {
    const tooWide = () => box.scrollWidth > box.clientWidth;
    const cells = [...box.querySelectorAll("table.dataframe :is(th, td)")].filter(
      (cell) => !cell.querySelector("wbr"));
    const rows = cells.filter((cell) => !cell.closest("thead"));
    const long = (cell) => cell.textContent.trim().length > 18;
    if (tooWide()) breakNames(cells.filter((cell) => cell.closest("thead")));
    if (tooWide()) breakNames(rows.filter(long));
    if (!tooWide()) return;
    const short = rows.filter((cell) => !long(cell));
    breakNames(short);
    if (tooWide()) short.forEach((cell) => cell.querySelectorAll("wbr").forEach((br) => br.remove()));
  }

  // A figure is shown as large as the window by a click or Enter; Esc, a click or × closes it.
  function enlarge(picture) {
    const box = document.createElement("dialog");
    const close = document.createElement("button");
    const large = document.createElement("img");
    box.className = "nmc-large";
    box.setAttribute("aria-label", "Figure, enlarged");
    close.textContent = "×";
    close.setAttribute("aria-label", "Close");
    Object.assign(large, { src: picture.src, alt: picture.alt });
    box.append(close, large);
    box.addEventListener("click", () => box.close());
    // A dialog that was hidden for printing has lost the focus, and Esc with it.
    const escape = (event) => event.key === "Escape" && box.close();
    document.addEventListener("keydown", escape);
    box.addEventListener("close", () => {
      document.removeEventListener("keydown", escape);
      box.remove();
      picture.focus();
    });
    document.body.append(box);
    box.showModal();
  }

  function makeLarge(picture) {
    picture.tabIndex = 0;
    picture.setAttribute("role", "button");
    picture.setAttribute("aria-haspopup", "dialog");
    picture.addEventListener("click", () => enlarge(picture));
    picture.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      enlarge(picture);
    });
  }

  function ready() {
    document
      .querySelectorAll(".bd-article :is(figure, .cell_output) img:not(a img, .nmc-view3d img)")
      .forEach(makeLarge);
    breakNames(document.querySelectorAll(".bd-article td code"));
    // Watched, because the tables of a closed solution have no width until it is opened.
    const watch = new ResizeObserver((all) => all.forEach((entry) => fitTables(entry.target)));
    document.querySelectorAll(".cell_output .output:has(table.dataframe)").forEach((box) =>
      watch.observe(box));
    document.querySelectorAll("table.nmc-table").forEach((table) => {
      addFilter(table);
      Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
        // A phone shows each row as a card, where a cell says its column's name (book.css).
        for (const row of table.tBodies[0].rows) {
          row.cells[column].dataset.column = heading.textContent;
        }
        heading.tabIndex = 0;
        heading.addEventListener("click", () => sort(table, heading, column));
        heading.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            sort(table, heading, column);
          }
        });
      });
    });
    // Wide boxes can be reached and scrolled with the keyboard.
    document
      .querySelectorAll(".nmc-table-box, .cell_output .output, .highlight pre, figure:has(img.wide)")
      .forEach((box) => {
        if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
