// Draws the description of the API; everything it needs comes from this server, at paths that are relative to this page, so
// that it works below any prefix.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
