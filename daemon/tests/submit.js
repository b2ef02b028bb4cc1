// Hands in messages with nodemailer over a pool of connections and prints the server's answer to each.
//
// submit.js PORT LOGIN SECRET COUNT: recipients n<n>@albatross.example and one with UTF-8 in its subject and attachment.
// The last line is "done", or what went wrong.
const nodemailer = require('nodemailer');

const [port, login, secret, count] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: '127.0.0.1',
  port: Number(port),
  pool: true,
  maxConnections: 3,
  requireTLS: true,
  tls: { rejectUnauthorized: false },
  auth: { type: 'login', user: login, pass: secret },
});

async function main() {
  const all = Array.from({ length: Number(count) }, (_, n) => n).map((n) =>
    transport.sendMail({
      from: 'Ana <ana@sender.example>',
      to: `n${n}@albatross.example`,
      subject: `Olá ${n}`,
      text: 'Hello\n.\n..\nbye',
      html: '<p>Hello</p>',
      attachments: [{ filename: 'é.txt', content: 'x'.repeat(100000) }],
      dsn: { id: `n${n}`, return: 'headers', notify: ['failure', 'delay'], recipient: 'ana@sender.example' },
    }),
  );
  for (const sent of await Promise.all(all)) console.log(sent.response);
  console.log('done');
}

main()
  .catch((error) => console.log(String(error)))
  .finally(() => transport.close());
