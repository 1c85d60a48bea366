// A receiver of webhooks that is made of others' parts: it takes a message only if the library
// of Standard Webhooks verifies it with the key in KEY, and that of CloudEvents accepts it. It
// prints a line for each request: the CloudEvent, or why it was refused.
const http = require("node:http");
const { HTTP } = require("cloudevents");
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(process.env.KEY);
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    try {
      webhook.verify(body, request.headers);
      const event = HTTP.toEvent({ headers: request.headers, body });
      event.validate();
      console.log(JSON.stringify({ event }));
      response.writeHead(204).end();
    } catch (error) {
      console.log(JSON.stringify({ refused: String(error) }));
      response.writeHead(401).end();
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
