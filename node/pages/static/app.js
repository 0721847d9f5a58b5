// What pages do in the browser beside htmx; nothing of it is needed to read or to send a form.
"use strict";

(() => {
  const root = document.documentElement;
  const alerts = document.querySelector(".alerts");
  let hiding = 0;

  function announce(text) {
    if (!alerts) return;
    alerts.textContent = text;
    clearTimeout(hiding);
    hiding = setTimeout(() => { alerts.textContent = ""; }, 6000);
  }

  // Without a choice of the viewer the page is as the system has it: the button offers the other.
  const theme = document.querySelector("button.theme");
  if (theme && !root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches) {
    theme.value = "light";
  }

  // Identifiers are copied by a click; those outside of tables also by the keyboard.
  function offerCopies(within) {
    for (const code of within.querySelectorAll("code.id:not(.copies, a code)")) {
      code.classList.add("copies");
      code.title = alerts?.dataset.copy ?? "";
      if (code.closest("table, button")) continue;
      code.tabIndex = 0;
      code.setAttribute("role", "button");
    }
  }

  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.dataset.whole ?? code.textContent.trim());
      announce(alerts.dataset.copied);
    } catch {
      getSelection().selectAllChildren(code);
    }
  }

  offerCopies(document);
  document.addEventListener("htmx:load", (event) => offerCopies(event.detail.elt));
  document.addEventListener("click", (event) => {
    const code = event.target.closest("code.id.copies");
    if (code) copy(code);
  });

  document.addEventListener("keydown", (event) => {
    const code = event.target.closest("code.id[role=button]");
    if (code && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      copy(code);
    }
    // In a table of links the arrows go from row to row.
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const row = step && event.target.closest(".listing tbody tr");
    const link = row?.[step]?.querySelector("a, button");
    if (link) {
      event.preventDefault();
      link.focus();
    }
  });

  // A file may be dropped on its field.
  for (const input of document.querySelectorAll("input[type=file]")) {
    const target = input.closest("label") ?? input;
    const mark = (on) => (event) => {
      event.preventDefault();
      target.classList.toggle("dropping", on);
    };
    target.addEventListener("dragover", mark(true));
    target.addEventListener("dragleave", mark(false));
    target.addEventListener("drop", (event) => {
      mark(false)(event);
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  // What a list shows now is said, as its rows are replaced without a new page.
  document.addEventListener("htmx:afterSettle", (event) => {
    const said = event.target.closest?.(".listing")?.querySelector(".pager span");
    if (said) announce(said.textContent);
  });
  for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(failure, () => announce(alerts?.dataset.failed ?? ""));
  }
})();
