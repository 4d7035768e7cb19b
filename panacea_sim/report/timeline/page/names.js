// What stands for a name where there is room for so many letters: shortened() of report/names.py.

function shortened(forms, letters) {
  const fitting = forms.find((form) => Array.from(form).length <= letters);
  if (fitting !== undefined) return fitting;
  const last = Array.from(forms[forms.length - 1].replace(/^…+|…+$/g, ""));
  const kept = Math.max(letters - 1, 1);
  const beginning = Math.floor(kept / 3);
  return `${last.slice(0, beginning).join("")}…${last.slice(beginning - kept).join("")}`;
}
