"use strict";
// Shows, of each table of tests, those whose state is chosen and whose text has all the words that were typed.
(() => {
  for (const box of document.querySelectorAll("[data-tests]")) {
    const rows = [...box.querySelectorAll("tbody tr")];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const search = box.querySelector("input[type=search]");
    const boxes = [...box.querySelectorAll("input[type=checkbox]")];
    const shown = box.querySelector("output");
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = new Set(boxes.filter((each) => each.checked).map((each) => each.value));
      let count = 0;
      rows.forEach((row, index) => {
        const fits = (!chosen.size || chosen.has(row.dataset.state)) && words.every((word) => texts[index].includes(word));
        row.hidden = !fits;
        count += fits;
      });
      shown.textContent = count === rows.length ? "" : `${count} of ${rows.length} shown`;
    };
    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(apply, 120);
    });
    boxes.forEach((each) => each.addEventListener("change", apply));
    box.querySelector(".filter").hidden = false;
    apply(); // a browser may have kept what was chosen before
  }
})();
