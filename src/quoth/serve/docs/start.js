// Renders the OpenAPI description. All files are from this server, at paths relative to this page, so that it works below
// any path prefix.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
