package androidx.camera.core.resolutionselector;

public final class ResolutionSelector {
    public static final class Builder {
        public Builder setResolutionStrategy(ResolutionStrategy strategy) {
            return this;
        }

        public ResolutionSelector build() {
            throw new UnsupportedOperationException("a stub");
        }
    }
}
