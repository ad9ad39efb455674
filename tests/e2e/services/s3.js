// An S3 server on loopback: node s3.js PORT FOLDER. One bucket, `reports`; checks signatures with S3RVER as id and key. Prints "ready".
const S3rver = require('s3rver');

const [, , port, directory] = process.argv;
new S3rver({ port: Number(port), address: '127.0.0.1', silent: true, directory, configureBuckets: [{ name: 'reports' }], vhostBuckets: false })
  .run()
  .then(() => console.log('ready'));
