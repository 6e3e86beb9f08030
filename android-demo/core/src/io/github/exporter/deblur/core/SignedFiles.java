package io.github.exporter.deblur.core;

import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A bundle of which only what a trusted key has signed can be read. The signature is {@code signature.dsse.json}, a DSSE
 * envelope around an in-toto statement that names every file of the bundle with its SHA-256.
 */
public final class SignedFiles implements BundleFiles {
    public static final String SIGNATURE = "signature.dsse.json";
    private static final String IN_TOTO = "application/vnd.in-toto+json";

    /** The key that signed it. */
    public final TrustedKey signer;

    private final BundleFiles files;
    private final Map<String, String> sha256;

    private SignedFiles(BundleFiles files, TrustedKey signer, Map<String, String> sha256) {
        this.files = files;
        this.signer = signer;
        this.sha256 = sha256;
    }

    /**
     * Checks the signature; each file is held against it when it is opened.
     *
     * @throws BundleException when none of {@code keys} has signed the bundle, or this device cannot tell
     */
    public static SignedFiles of(BundleFiles files, List<TrustedKey> keys) throws IOException {
        String text;
        try {
            text = new String(Streams.readAll(files.open(SIGNATURE)), "UTF-8");
        } catch (FileNotFoundException error) {
            throw new BundleException(files.name() + " is not signed: " + SIGNATURE + " is missing");
        }
        JsonObject envelope = Json.object(SIGNATURE, text);
        if (!envelope.text("payloadType").equals(IN_TOTO)) {
            throw new BundleException(SIGNATURE + ": the payload is of another type than " + IN_TOTO);
        }
        byte[] payload = bytes(envelope.text("payload"));
        TrustedKey signer = signer(envelope, encoded(payload), keys, files.name());
        return new SignedFiles(files, signer, subjects(Json.object(SIGNATURE, new String(payload, "UTF-8"))));
    }

    @Override
    public InputStream open(String file) throws IOException {
        byte[] content = Streams.readAll(files.open(file));
        demand(file, Streams.sha256(content));
        return new ByteArrayInputStream(content);
    }

    /** The file's bytes are read twice: here, and by whoever opens it. */
    @Override
    public ModelFile model(String file) throws IOException {
        ModelFile model = files.model(file);
        demand(file, Streams.sha256(model.open()));
        return model;
    }

    @Override
    public String name() {
        return files.name();
    }

    private void demand(String file, String found) throws BundleException {
        String signed = sha256.get(file);
        if (signed == null) {
            throw new BundleException(file + " is not among what was signed");
        }
        if (!signed.equals(found)) {
            throw new BundleException(file + " was changed after the bundle was signed");
        }
    }

    private static TrustedKey signer(JsonObject envelope, byte[] signed, List<TrustedKey> keys, String name)
            throws BundleException {
        TrustedKey unknown = null;
        for (JsonObject entry : envelope.objects("signatures")) {
            byte[] signature = bytes(entry.text("sig"));
            for (TrustedKey key : keys) {
                try {
                    if (key.verifies(signature, signed)) {
                        return key;
                    }
                } catch (NoSuchAlgorithmException error) {
                    unknown = key;
                }
            }
        }
        if (unknown != null) {
            throw new BundleException(name + ": this device cannot check signatures of " + unknown.algorithm
                    + ", and no other trusted key has signed it: sign it with a key of ECDSA P-256, too");
        }
        throw new BundleException(name + " is not signed by a key that this app trusts");
    }

    /** DSSE's pre-authentication encoding: what a key signs. */
    private static byte[] encoded(byte[] payload) throws IOException {
        byte[] head = ("DSSEv1 " + IN_TOTO.length() + " " + IN_TOTO + " " + payload.length + " ").getBytes("UTF-8");
        byte[] all = new byte[head.length + payload.length];
        System.arraycopy(head, 0, all, 0, head.length);
        System.arraycopy(payload, 0, all, head.length, payload.length);
        return all;
    }

    private static Map<String, String> subjects(JsonObject statement) throws BundleException {
        Map<String, String> found = new HashMap<String, String>();
        for (JsonObject subject : statement.objects("subject")) {
            found.put(subject.text("name"), subject.object("digest").text("sha256"));
        }
        return found;
    }

    private static byte[] bytes(String text) throws BundleException {
        try {
            return Base64.decode(text);
        } catch (IllegalArgumentException error) {
            throw new BundleException(SIGNATURE + " is damaged: " + error.getMessage());
        }
    }
}
