for (const head of document.querySelectorAll("thead.sorts th")) {
  head.tabIndex = 0;
  const sort = () => {
    const body = head.closest("table").tBodies[0], place = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[place].textContent;
    const numbers = head.classList.contains("num");
    const compare = (a, b) => numbers
      ? (parseFloat(key(a)) || 0) - (parseFloat(key(b)) || 0)
      : key(a).localeCompare(key(b));
    body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * compare(a, b)));
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
}
