package io.github.exporter.deblur.core;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.List;

/** An exporter's bundle, its manifest read; model files are checked against their digests before they are used. */
public final class Bundle {
    public final BundleFiles files;
    public final Manifest manifest;

    private Bundle(BundleFiles files, Manifest manifest) {
        this.files = files;
        this.manifest = manifest;
    }

    /** @throws BundleException when there is no manifest.json or it is not understood */
    public static Bundle open(BundleFiles files) throws IOException {
        byte[] text;
        try {
            text = Streams.readAll(files.open("manifest.json"));
        } catch (FileNotFoundException error) {
            throw new BundleException(files.name() + " holds no manifest.json");
        }
        return new Bundle(files, Manifest.read(new String(text, "UTF-8")));
    }

    /**
     * The same, of a bundle that one of {@code keys} has to have signed: nothing else of it can be read, no model either.
     *
     * @throws BundleException also when it is not signed by any of them, or a file is not what was signed
     */
    public static Bundle openSigned(BundleFiles files, List<TrustedKey> keys) throws IOException {
        return open(SignedFiles.of(files, keys));
    }

    /** The key that signed it; null when the app asked for none. */
    public TrustedKey signer() {
        return files instanceof SignedFiles ? ((SignedFiles) files).signer : null;
    }

    /** The file of {@code model}. @throws BundleException when its bytes are not those the manifest names */
    public ModelFile checked(ModelEntry model) throws IOException {
        ModelFile file = files.model(model.file);
        String sha256 = Streams.sha256(file.open());
        if (!sha256.equals(model.sha256)) {
            throw new BundleException(model.file + " is not the file of manifest.json: its sha256 is " + sha256);
        }
        return file;
    }

    public Golden golden() throws IOException {
        return Golden.read(this);
    }
}
