// SPDX-License-Identifier: Apache-2.0
// What pages do beyond links: the address keeps their state, keys walk the tree.
// Nothing here is needed to read them.

document.documentElement.classList.add("script");

// Filters are kept in the address.
for (const form of document.querySelectorAll("form[data-state]")) {
  const keep = () => {
    const query = new URLSearchParams();
    for (const [key, value] of new FormData(form)) if (value) query.set(key, value);
    const text = query.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  };
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
}
