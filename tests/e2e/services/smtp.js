// A mail server on loopback: node smtp.js PORT KEY CERTIFICATE FOLDER. Offers STARTTLS where KEY is not "-", wants robot's password with it,
// and keeps what it gets in FOLDER. Prints "ready" when it listens.
const fs = require('fs');
const path = require('path');
const { SMTPServer } = require('smtp-server');

const [, , port, key, certificate, folder] = process.argv;
const encrypted = key !== '-';
let count = 0;

const refuse = (code, text) => Object.assign(new Error(text), { responseCode: code });

const server = new SMTPServer({
  ...(encrypted ? { key: fs.readFileSync(key), cert: fs.readFileSync(certificate) } : { disabledCommands: ['STARTTLS', 'AUTH'] }),
  authOptional: !encrypted,
  logger: false,
  onAuth: (auth, session, done) =>
    auth.username === 'robot' && auth.password === 'canary-password' ? done(null, { user: 'robot' }) : done(refuse(535, 'wrong')),
  onRcptTo: (address, session, done) => {
    if (address.address.startsWith('nobody@')) return done(refuse(550, 'no such user'));
    if (address.address.startsWith('later@')) return done(refuse(451, 'try again later'));
    if (address.address.startsWith('slow@')) return undefined;
    return done();
  },
  onData: (stream, session, done) => {
    const pieces = [];
    stream.on('data', (piece) => pieces.push(piece));
    stream.on('end', () => {
      count += 1;
      const { mailFrom, rcptTo } = session.envelope;
      const mail = { from: mailFrom.address, to: rcptTo.map((one) => one.address), secure: session.secure, raw: Buffer.concat(pieces).toString('utf8') };
      fs.writeFileSync(path.join(folder, `${count}.json`), JSON.stringify(mail));
      done();
    });
  },
});
server.on('error', () => {});
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
