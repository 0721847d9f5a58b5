// What pages do in the browser beside htmx; nothing of it is needed to read or to send a form.
"use strict";
